//! The service that is called.

use polywire::Status;

/// Nothing, or the name of a transport.
#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
pub(crate) struct Word {
    /// The name.
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

/// Tells over which transport it was asked.
#[polywire::service(package = "words.v1")]
pub(crate) trait Words {
    /// Is not made twice, so that a call shows the first choice alone.
    async fn ask(&self, request: Word) -> Result<Word, Status>;
}

/// Answers with this name.
pub(crate) struct Spoken(pub(crate) &'static str);

impl Words for Spoken {
    async fn ask(&self, _: Word) -> Result<Word, Status> {
        Ok(Word { name: self.0.to_owned() })
    }
}
