use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream;
use futures_util::Sink;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::ProtocolError,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

/// The largest binary message that is sent or taken, in bytes: four of the multiplexer's frames.
const MESSAGE: usize = 64 << 10;

/// How much may wait to be written: a message, its header, and answers to pings. A peer that pings and reads no
/// answers is cut off here.
const UNWRITTEN: usize = 4 * MESSAGE;

/// How long a peer that is refused has to read why.
pub(super) const PARTING: Duration = Duration::from_secs(1);

/// What a WebSocket lies on.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for T {}

/// Every bound of a WebSocket, before anything is allocated.
pub(super) fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(MESSAGE)
        // Each message is written at once, so that what cannot be written holds its writer back.
        .write_buffer_size(0)
        .max_write_buffer_size(UNWRITTEN)
        .max_message_size(Some(MESSAGE))
        .max_frame_size(Some(MESSAGE))
}

/// The binary messages of a WebSocket, put end to end: a pipe of bytes. What is written is gathered into messages,
/// which go out when they are full or the pipe is flushed. One message at a time is read from the socket, and the
/// next once it was taken, so that the socket's flow control is the pipe's.
pub(super) struct Pipe<T> {
    socket: WebSocketStream<T>,
    /// What is left of the message that arrived last.
    unread: Bytes,
    /// What will be the next message.
    unsent: BytesMut,
    /// A close has been sent or received: nothing more can be sent.
    is_closing: bool,
    /// The peer has closed.
    is_ended: bool,
    breach: Option<Breach>,
}

/// A rule that the peer broke. It is told, and what it still sends is thrown away until it has hung up: a socket
/// that is closed with bytes unread may take back what was just written.
struct Breach {
    error: String,
    until: Pin<Box<Sleep>>,
    is_told: bool,
}

impl<T: Io> Pipe<T> {
    pub(super) fn new(socket: WebSocketStream<T>) -> Self {
        Self {
            socket,
            unread: Bytes::new(),
            unsent: BytesMut::new(),
            is_closing: false,
            is_ended: false,
            breach: None,
        }
    }

    /// Takes the next message with bytes in it; none when the peer has closed.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.unread.is_empty() && !self.is_ended {
            if self.breach.is_some() {
                return self.poll_breach(cx).map(Err);
            }
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.unread = bytes,
                // tungstenite answers pings by itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Text(_))) => {
                    self.refuse(CloseCode::Unsupported, "expected binary messages".to_owned());
                }
                Some(Ok(Message::Close(_))) | None => {
                    (self.is_ended, self.is_closing) = (true, true);
                    // The answer to a close. What cannot be written at once the peer does not wait for.
                    let _ = Pin::new(&mut self.socket).poll_flush(cx);
                }
                Some(Err(error)) => match code(&error) {
                    Some(code) => self.refuse(code, error.to_string()),
                    None => return Poll::Ready(Err(broken(error))),
                },
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The peer broke a rule: it is told which, and nothing else any more.
    fn refuse(&mut self, code: CloseCode, error: String) {
        let frame = CloseFrame { code, reason: error.as_str().into() };
        // A socket that takes no close is told nothing, and hung up on.
        let is_told = std::mem::replace(&mut self.is_closing, true)
            || Pin::new(&mut self.socket).start_send(Message::Close(Some(frame))).is_err();
        self.breach = Some(Breach { error, is_told, until: Box::pin(tokio::time::sleep(PARTING)) });
    }

    fn poll_breach(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(breach) = &mut self.breach else {
            return Poll::Pending;
        };
        let mut scratch = [0; 4 << 10];
        while breach.until.as_mut().poll(cx).is_pending() {
            if !breach.is_told {
                // An error says that the peer is gone, which reading finds out too.
                let _ = ready!(Pin::new(&mut self.socket).poll_flush(cx));
                let _ = ready!(Pin::new(self.socket.get_mut()).poll_shutdown(cx));
                breach.is_told = true;
            }
            let mut unread = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(self.socket.get_mut()).poll_read(cx, &mut unread));
            if read.is_err() || unread.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(io::Error::new(io::ErrorKind::InvalidData, breach.error.clone()))
    }

    /// Sends what has been gathered.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unsent.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if self.is_closing {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(broken)?;
        let message = Message::Binary(self.unsent.split().freeze());
        Poll::Ready(Pin::new(&mut self.socket).start_send(message).map_err(broken))
    }

    fn gather(&mut self, slice: &[u8]) -> usize {
        let taken = slice.len().min(MESSAGE - self.unsent.len());
        self.unsent.extend_from_slice(&slice[..taken]);
        taken
    }
}

impl<T: Io> AsyncRead for Pipe<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_message(cx))?;
        let taken = this.unread.len().min(buffer.remaining());
        buffer.put_slice(&this.unread[..taken]);
        this.unread.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl<T: Io> AsyncWrite for Pipe<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.unsent.len() == MESSAGE {
            ready!(this.poll_send(cx))?;
        }
        Poll::Ready(Ok(slices.iter().map(|slice| this.gather(slice)).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.socket).poll_flush(cx).map_err(broken)
    }

    /// Sends what has been gathered and a close. The pipe can be read until the peer has closed, too.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_closing {
            ready!(this.poll_send(cx))?;
            ready!(Pin::new(&mut this.socket).poll_ready(cx)).map_err(broken)?;
            this.is_closing = true;
            let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            Pin::new(&mut this.socket).start_send(Message::Close(Some(frame))).map_err(broken)?;
        }
        Pin::new(&mut this.socket).poll_flush(cx).map_err(broken)
    }
}

/// What the peer is told of an error that is its own ([RFC 6455, section
/// 7.4.1](https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1)).
fn code(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Capacity(_) => Some(CloseCode::Size),
        // A text, whatever is in it.
        Error::Utf8(_) => Some(CloseCode::Unsupported),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseCode::Protocol),
        _ => None,
    }
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        error => io::Error::other(error),
    }
}
