//! Sections 2 to 6 of the page.

/// A field, encoded.
pub(super) type Field = Vec<u8>;

/// A frame that was read.
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) payload: Vec<u8>,
}

/// The responder's direction.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) messages: Vec<Vec<u8>>,
    pub(super) code: u8,
    pub(super) message: String,
}

/// 3.1, in the shortest form.
fn varint(value: usize) -> Vec<u8> {
    match value {
        0..=0x3f => vec![value as u8],
        0x40..=0x3fff => (value as u16 | 0x4000).to_be_bytes().to_vec(),
        _ => (value as u32 | 0x8000_0000).to_be_bytes().to_vec(),
    }
}

/// 3.1: a value and how many bytes it has, if they are all there.
fn take_varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let first = *bytes.first()?;
    let length = 1 << (first >> 6);
    let rest = bytes.get(1..length)?;
    let value = rest.iter().fold(usize::from(first & 0x3f), |value, byte| value << 8 | usize::from(*byte));
    Some((value, length))
}

/// 3.2 and 3.4: they have the same layout.
pub(super) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind], varint(payload.len()).as_slice(), payload].concat()
}

/// 3.4.
pub(super) fn field(tag: u8, value: &[u8]) -> Field {
    frame(tag, value)
}

/// 4: a whole caller's direction of one message, with these fields beside path and codec.
pub(super) fn call(path: &str, codec: u8, unary: bool, fields: &[Field], message: &[u8]) -> Vec<u8> {
    let mut head = [field(0x01, path.as_bytes()), field(0x02, &[codec])].concat();
    if unary {
        head.extend(field(0x81, &[]));
    }
    head.extend(fields.concat());
    let message = [&[0x02], (message.len() as u32 | 0x8000_0000).to_be_bytes().as_slice(), message].concat();
    [&[0x01][..], &frame(0x01, &head), &message, &frame(0x03, &[])].concat()
}

/// Every complete item of type or tag, length, and content.
pub(super) fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((kind, rest)) = bytes.split_first() {
        let Some((length, form)) = take_varint(rest) else { break };
        let Some(payload) = rest.get(form..form + length) else { break };
        frames.push(Frame { kind: *kind, payload: payload.to_vec() });
        bytes = &rest[form + length..];
    }
    frames
}

/// 5 and 6.
pub(super) fn read(bytes: &[u8]) -> Answer {
    let mut answer = Answer::default();
    let frames = frames(bytes);
    let (end, before) = frames.split_last().expect("an answer has an end");
    for frame in before {
        match frame.kind {
            0x01 => assert!(answer.messages.is_empty(), "a head comes first"),
            0x02 => answer.messages.push(frame.payload.clone()),
            other => assert!(other >= 0x80, "an unknown frame that may not be skipped: {other:#x}"),
        }
    }
    assert_eq!(end.kind, 0x03, "an answer ends by its end");
    for field in self::frames(&end.payload) {
        match field.kind {
            0x01 => answer.code = field.payload[0],
            0x02 => answer.message = String::from_utf8(field.payload).expect("UTF-8"),
            _ => {}
        }
    }
    answer
}
