//! httparse on a request of the size of the message with its header. A yardstick from another world: text.

use super::bare::HEADER;

/// A request line and one header, as large as the message.
pub(crate) fn begin(begin: &super::Begin) -> Vec<u8> {
    let mut text = format!("GET /{} HTTP/1.1\r\nHost: ", begin.version);
    while text.len() < HEADER + super::BEGIN_SIZE - 4 {
        text.extend(begin.host.chars().take(HEADER + super::BEGIN_SIZE - 4 - text.len()));
    }
    text.push_str("\r\n\r\n");
    text.into_bytes()
}

/// The shortest request there is has the size of a ping with its header.
pub(crate) fn ping(_: &super::Ping) -> Vec<u8> {
    b"GET / HTTP/1.1\r\n\r\n".to_vec()
}

/// Whether a request stands at the front of `bytes`, and its size.
#[inline]
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<usize>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; 4];
    let mut request = httparse::Request::new(&mut headers);
    let status = request.parse(bytes)?;
    std::hint::black_box(&request);
    Ok(match status {
        httparse::Status::Complete(size) => Some(size),
        httparse::Status::Partial => None,
    })
}
