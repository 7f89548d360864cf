/// Implements tokio's `AsyncWrite` or hyper's `Write`, which have the same methods, for a wrapper of an `io` that changes nothing
/// of what is written.
macro_rules! write_through {
    ($Write:ident for $wrapper:ident<$Io:ident>) => {
        impl<$Io: $Write + Unpin> $Write for $wrapper<$Io> {
            write_through!();
        }
    };
    ($Write:ident for $wrapper:ident) => {
        impl $Write for $wrapper {
            write_through!();
        }
    };
    () => {
        fn poll_write(
            mut self: ::std::pin::Pin<&mut Self>,
            task: &mut ::std::task::Context<'_>,
            bytes: &[u8],
        ) -> ::std::task::Poll<::std::io::Result<usize>> {
            ::std::pin::Pin::new(&mut self.io).poll_write(task, bytes)
        }

        fn poll_write_vectored(
            mut self: ::std::pin::Pin<&mut Self>,
            task: &mut ::std::task::Context<'_>,
            slices: &[::std::io::IoSlice<'_>],
        ) -> ::std::task::Poll<::std::io::Result<usize>> {
            ::std::pin::Pin::new(&mut self.io).poll_write_vectored(task, slices)
        }

        fn is_write_vectored(&self) -> bool {
            self.io.is_write_vectored()
        }

        fn poll_flush(
            mut self: ::std::pin::Pin<&mut Self>,
            task: &mut ::std::task::Context<'_>,
        ) -> ::std::task::Poll<::std::io::Result<()>> {
            ::std::pin::Pin::new(&mut self.io).poll_flush(task)
        }

        fn poll_shutdown(
            mut self: ::std::pin::Pin<&mut Self>,
            task: &mut ::std::task::Context<'_>,
        ) -> ::std::task::Poll<::std::io::Result<()>> {
            ::std::pin::Pin::new(&mut self.io).poll_shutdown(task)
        }
    };
}

pub(crate) use write_through;
