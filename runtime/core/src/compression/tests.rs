use super::*;

#[test]
fn names_read_back_and_others_are_refused_with_those_there_are() {
    for compression in Compression::ALL {
        assert_eq!(compression.to_string().parse(), Ok(compression));
    }
    let refusal = "brotli".parse::<Compression>().unwrap_err();
    assert_eq!(refusal.to_string(), "compression \"brotli\" is not known; expected `gzip` or `zstd`");
}

#[test]
fn what_this_build_does_not_know_is_unimplemented() {
    for compression in Compression::ALL.into_iter().filter(|compression| !compression.is_supported()) {
        let status = compression.decompress(b"x", 10).unwrap_err();
        assert_eq!(status.code(), crate::Code::Unimplemented, "{compression}");
        assert!(!CompressionSet::supported().contains(compression));
        let status = compression.supported().unwrap_err();
        assert!(status.message().contains("supported:"), "{status}");
    }
}

#[cfg(any(feature = "gzip", feature = "zstd"))]
mod data {
    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    use super::*;
    use crate::Code;

    fn supported() -> impl Iterator<Item = Compression> {
        CompressionSet::supported().iter()
    }

    fn compressed(compression: Compression, plain: &[u8]) -> BytesMut {
        let mut buffer = BytesMut::from(plain);
        assert!(compression.compress_from(0, &mut buffer).unwrap(), "{compression} makes it smaller");
        buffer
    }

    #[test]
    fn what_lies_before_a_message_is_not_compressed_with_it() {
        for compression in supported() {
            let mut buffer = BytesMut::from(&b"before"[..]);
            buffer.put_bytes(7, 10_000);
            assert!(compression.compress_from(6, &mut buffer).unwrap());
            assert!(buffer.len() < 200, "{compression}: {}", buffer.len());
            assert_eq!(buffer.split_to(6), "before");
            assert_eq!(compression.decompress(&buffer, 10_000).unwrap(), vec![7; 10_000]);
        }
    }

    #[test]
    fn what_would_not_get_smaller_stays_as_it_is() {
        for compression in supported() {
            for plain in [&b""[..], b"a", b"no two alike"] {
                let mut buffer = BytesMut::from(plain);
                assert!(!compression.compress_from(0, &mut buffer).unwrap(), "{compression}");
                assert_eq!(buffer, plain);
            }
        }
    }

    #[test]
    fn a_bomb_is_resource_exhausted_and_the_limit_itself_fits() {
        const LIMIT: usize = 64 << 10;
        for compression in supported() {
            let bomb = compressed(compression, &vec![0; 64 << 20]);
            assert!(bomb.len() * 900 < 64 << 20, "{compression}: {}", bomb.len());
            let status = compression.decompress(&bomb, LIMIT).unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
            assert!(status.message().contains("65536 bytes"), "{status}");
            let fits = compressed(compression, &[0; LIMIT]);
            assert_eq!(compression.decompress(&fits, LIMIT).unwrap().len(), LIMIT);
            let status = compression.decompress(&fits, LIMIT - 1).unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        }
    }

    #[test]
    fn data_that_are_not_whole_are_internal() {
        for compression in supported() {
            let whole = compressed(compression, &[3; 500]);
            for length in 0..whole.len() {
                let status = compression.decompress(&whole[..length], 1_000).unwrap_err();
                assert_eq!(status.code(), Code::Internal, "{compression}, {length} bytes: {status}");
            }
            for behind in [&b"x"[..], &[0; 20], b"no header, but long enough to be one"] {
                let longer = [&whole[..], behind].concat();
                let status = compression.decompress(&longer, 1_000).unwrap_err();
                assert_eq!(status.code(), Code::Internal, "{compression}: {status}");
            }
            let mut corrupt = whole.clone();
            corrupt[0] ^= 1;
            assert_eq!(compression.decompress(&corrupt, 1_000).unwrap_err().code(), Code::Internal);
        }
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn a_flipped_bit_does_not_pass_gzips_checksum() {
        let mut data = compressed(Compression::Gzip, &[3; 500]);
        let checksum = data.len() - 8;
        data[checksum] ^= 1;
        assert_eq!(Compression::Gzip.decompress(&data, 1_000).unwrap_err().code(), Code::Internal);
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn a_frame_that_asks_for_a_large_window_is_refused_before_there_is_room_for_it() {
        // RFC 8878, section 3.1.1: magic number, descriptor, window of 2^(10 + n) bytes, one raw block of 1 byte.
        let frame = |n: u8| [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, n << 3][..], &[0x09, 0, 0, b'x']].concat();
        assert_eq!(Compression::Zstd.decompress(&frame(13), 10).unwrap(), "x");
        let status = Compression::Zstd.decompress(&frame(14), 10).unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{status}");
    }

    proptest! {
        #[test]
        fn whatever_is_compressed_reads_back(plain in proptest::collection::vec(0..4_u8, 0..3_000)) {
            for compression in supported() {
                let mut buffer = BytesMut::from(&plain[..]);
                if compression.compress_from(0, &mut buffer).unwrap() {
                    prop_assert!(buffer.len() < plain.len());
                    buffer = compression.decompress(&buffer, plain.len()).unwrap().into();
                }
                prop_assert_eq!(&buffer, &plain);
            }
        }

        #[test]
        fn no_bytes_make_it_panic_or_pass_the_limit(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            for compression in supported() {
                let mut data = compressed(compression, &[5; 3_000]);
                for (index, flip) in &flips {
                    *index.get_mut(&mut data) ^= flip;
                }
                for data in [&bytes[..], &data] {
                    if let Ok(message) = compression.decompress(data, 1_000) {
                        prop_assert!(message.len() <= 1_000);
                    }
                }
            }
        }
    }
}
