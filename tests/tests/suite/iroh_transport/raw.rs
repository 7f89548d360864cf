//! Streams written byte by byte, on a connection that a call of ours would use.

use bytes::{Bytes, BytesMut};
use iroh::endpoint::{Connection, ReadToEndError, RecvStream, SendStream};
use polywire::{
    Code, Codec, Metadata,
    wire::{FrameKind, FrameReader, RequestCompression, Tail, put_end, put_message, put_request_head},
};
use polywire_tests::{inventory::GetRequest, patience::within};

/// How a stream ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Ending {
    /// By an end frame of this code.
    Status(Code),
    /// By a reset of this code.
    Reset(u64),
}

pub(super) const GET: &str = "/inventory.v1.Inventory/Get";

/// A whole unary call of `Get`.
pub(super) fn call() -> Vec<u8> {
    let mut buffer = BytesMut::new();
    put_request_head(
        &mut buffer,
        GET,
        Codec::Protobuf,
        true,
        None,
        RequestCompression::default(),
        &Metadata::new(),
    );
    let message = polywire::Payload::new(GetRequest::named("anvil"));
    put_message(&mut buffer, 1 << 20, |buffer| message.encode(Codec::Protobuf, buffer)).unwrap();
    put_end(&mut buffer);
    buffer.to_vec()
}

/// Opens a stream, writes these bytes, and ends it if told to.
pub(crate) async fn open(connection: &Connection, bytes: &[u8], finish: bool) -> (SendStream, RecvStream) {
    let (mut send, recv) = within(connection.open_bi()).await.unwrap();
    // The peer may refuse before it has read everything.
    let _ = send.write_all(bytes).await;
    if finish {
        let _ = send.finish();
    }
    (send, recv)
}

/// Reads how the stream ends.
pub(crate) async fn ending(mut recv: RecvStream) -> Ending {
    let answer = match within(recv.read_to_end(1 << 20)).await {
        Ok(answer) => answer,
        Err(ReadToEndError::Read(iroh::endpoint::ReadError::Reset(code))) => {
            return Ending::Reset(code.into_inner());
        }
        Err(error) => panic!("{error}"),
    };
    let mut reader = FrameReader::new(1 << 20, 1 << 20);
    reader.push(Bytes::from(answer));
    loop {
        let frame = reader.next_frame().unwrap().expect("an answer ends by an end frame");
        if frame.kind == FrameKind::End {
            return Ending::Status(Code::from_number(Tail::parse(frame.payload).unwrap().code.into()));
        }
    }
}

/// Makes a whole call on the connection.
#[track_caller]
pub(super) fn assert_serves(connection: &Connection) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    let connection = connection.clone();
    async move {
        let (_send, recv) = open(&connection, &call(), true).await;
        assert_eq!(ending(recv).await, Ending::Status(Code::Ok), "at {caller}");
    }
}
