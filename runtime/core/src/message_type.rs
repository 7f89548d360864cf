use bytes::{Bytes, BytesMut};

use crate::Message;

/// What a message type tells of itself where there is no schema of it: a part of a method's table, for those who have a
/// schema to compare it with.
#[derive(Clone, Copy, Debug)]
pub struct MessageType {
    name: Option<fn() -> String>,
    recode: Option<Recode>,
    fields: Option<FieldNames>,
}

/// Decodes protobuf as the type and encodes that again: `None` where it cannot be decoded. What the type does not know
/// is lost.
pub type Recode = fn(&[u8]) -> Option<Vec<u8>>;

/// The names of the type's fields, where it is a struct with names.
pub type FieldNames = fn() -> Option<&'static [&'static str]>;

impl MessageType {
    /// A type of this full name, that is encoded again so, and that has these fields, as far as each is known.
    pub const fn new(
        name: Option<fn() -> String>,
        recode: Option<Recode>,
        fields: Option<FieldNames>,
    ) -> Self {
        Self { name, recode, fields }
    }
}

impl MessageType {
    /// The full name of the message, `package.Name`, where the type implements [`prost::Name`].
    pub fn name(&self) -> Option<String> {
        self.name.map(|name| name())
    }

    /// How it is encoded again.
    pub fn recode(&self) -> Option<Recode> {
        self.recode
    }

    /// The names of its fields, as serde reads them.
    pub fn fields(&self) -> Option<&'static [&'static str]> {
        self.fields.and_then(|fields| fields())
    }
}

/// Decodes as this type and encodes again.
pub(crate) fn recode<M: Message>(bytes: &[u8]) -> Option<Vec<u8>> {
    // From and to the types that calls are read from and written to, so that the compiler makes one of each function.
    let message = M::decode(Bytes::copy_from_slice(bytes)).ok()?;
    let mut buffer = BytesMut::with_capacity(message.encoded_len());
    message.encode(&mut buffer).ok()?;
    Some(buffer.into())
}
