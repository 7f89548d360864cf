use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::patience::within;

/// An answer of the HTTP side.
#[derive(Clone, Debug)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// The head, from the status line to the last field, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Gets a page by HTTP/1.1; `None` where there is no answer.
///
/// # Panics
/// When the answer is not HTTP.
pub async fn get(address: &str, path: &str, accept: &str) -> Option<Page> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.ok()?;
    if answer.is_empty() {
        return None;
    }
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("not HTTP: {answer}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let head = head.to_ascii_lowercase();
    assert!(!head.contains("transfer-encoding: chunked"), "pages are known before they are sent");
    Some(Page { status: status.expect("a status line"), head, body: body.to_owned() })
}
