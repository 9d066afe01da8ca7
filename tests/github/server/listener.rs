//! A listener whose connections can be closed at a chosen moment: how dropped and truncated answers
//! are played.

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// What is still let through to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Everything,
    /// The next answer's head and so many bytes of its body.
    Body(usize),
    Nothing,
}

/// One connection's switch.
#[derive(Clone, Debug)]
pub struct Switch(Arc<Mutex<Flow>>);

impl Switch {
    /// Closes the connection instead of sending another byte.
    pub fn close(&self) {
        *self.0.lock().unwrap() = Flow::Nothing;
    }

    /// Closes the connection after the next answer's head and `length` bytes of its body.
    pub fn close_in_body(&self, length: usize) {
        *self.0.lock().unwrap() = Flow::Body(length);
    }
}

impl Connected<IncomingStream<'_, Switched>> for Switch {
    fn connect_info(stream: IncomingStream<'_, Switched>) -> Self {
        stream.io().switch.clone()
    }
}

/// A TCP listener that gives connections with switches.
#[derive(Debug)]
pub struct Switched(pub TcpListener);

/// A connection with its switch.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    switch: Switch,
}

impl Listener for Switched {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        let switch = Switch(Arc::new(Mutex::new(Flow::Everything)));
        (Connection { stream, switch }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let flow = *this.switch.0.lock().unwrap();
        let length = match flow {
            Flow::Everything => buffer.len(),
            // Writes are not vectored here, so a small answer comes in one piece with its head.
            Flow::Body(length) => {
                let head = buffer.windows(4).position(|end| end == b"\r\n\r\n");
                buffer.len().min(head.map_or(0, |at| at + 4) + length)
            }
            Flow::Nothing => 0,
        };
        if length == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let written = Pin::new(&mut this.stream).poll_write(context, &buffer[..length]);
        if flow != Flow::Everything && written.is_ready() {
            this.switch.close();
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
