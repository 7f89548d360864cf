//! Calls of a service that this binary has too, of messages that no schema describes.

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
struct Word {
    #[prost(string, tag = "1")]
    text: String,
    #[prost(uint32, repeated, tag = "2")]
    marks: Vec<u32>,
}

#[polywire_macros::service(package = "words.v1")]
trait Words {
    /// Reads a word.
    #[rpc(idempotent)]
    async fn read(&self, request: Word) -> Result<Word, Status>;
}

struct Echo;

impl Words for Echo {
    async fn read(&self, request: Word) -> Result<Word, Status> {
        Ok(request)
    }
}

/// A node that tells strangers nothing and echoes, and another one of the same service.
fn closed() -> (Channel, Own) {
    let peer = demo::peer(move |cx, messages| match cx.service() {
        "words.v1.Words" => {
            assert_eq!(cx.codec(), Some(Codec::MessagePack));
            Ok(messages)
        }
        _ => Err(Status::permission_denied("access denied").not_processed()),
    });
    (peer, Own::node(crate::Node::builder().service(WordsServer::new(Echo))))
}

async fn call(json: &str) -> (String, Result<(), Failure>) {
    let (peer, own) = closed();
    let client = Client::in_process([peer]).await;
    let (mut printed, method) = (Vec::new(), "words.v1.Words/Read".parse().unwrap());
    let output = Output::new(&mut printed, false);
    let result = make(&client, &own, &method, Metadata::new(), None, Some(json.to_owned()), output).await;
    (String::from_utf8(printed).unwrap(), result)
}

#[tokio::test]
async fn a_field_that_the_type_of_this_binary_lacks_is_refused_with_the_nearest_one() {
    let (printed, result) = call(r#"{"text": "a", "mraks": [1]}"#).await;
    let Err(Failure::Usage(message)) = result else { panic!("no bad usage: {result:?}") };
    let expected = "line 1, column 21: unrecognized field name 'mraks'; did you mean `marks`?; expected JSON with the fields text, marks";
    assert!(message.contains(expected) && printed.is_empty(), "{message}");
}

#[tokio::test]
async fn the_fields_that_it_has_are_sent_in_the_shape_that_it_has() {
    let (printed, result) = call(r#"{"text": "a", "marks": [1]}"#).await;
    assert_eq!(printed, "{\"marks\":[1],\"text\":\"a\"}\n", "{result:?}");
    let (_, twice) = call("{} {}").await;
    let Err(Failure::Usage(message)) = twice else { panic!("no bad usage: {twice:?}") };
    assert!(message.contains("takes exactly one request"), "{message}");
}
