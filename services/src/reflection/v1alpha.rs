//! Reflection under its older name, which grpcio-reflection and older tools ask for.

use bytes::Bytes;
use futures_util::StreamExt as _;
use polywire::{Status, Streaming};
use polywire_proto::grpc::reflection::v1alpha::{ServerReflectionRequest, ServerReflectionResponse};
use prost::Message;

use super::Schemas;

/// As [`ServerReflection`](super::ServerReflection). Its messages are the same, but for the package of their names.
#[polywire::service(package = "grpc.reflection.v1alpha", access = "public")]
pub trait ServerReflection {
    /// Answers each question in turn.
    async fn server_reflection_info(
        &self,
        questions: Streaming<ServerReflectionRequest>,
    ) -> Result<Streaming<ServerReflectionResponse>, Status>;
}

impl ServerReflection for Schemas {
    async fn server_reflection_info(
        &self,
        questions: Streaming<ServerReflectionRequest>,
    ) -> Result<Streaming<ServerReflectionResponse>, Status> {
        let questions = Streaming::new(questions.map(|question| renamed(&question?)));
        let answers = super::ServerReflection::server_reflection_info(self, questions).await?;
        Ok(Streaming::new(answers.map(|answer| renamed(&answer?))))
    }
}

/// The message of the same fields in the other package.
fn renamed<T: Message + Default>(message: &impl Message) -> Result<T, Status> {
    let bytes = Bytes::from(message.encode_to_vec());
    T::decode(bytes).map_err(|error| Status::internal(format!("reflection of another version: {error}")))
}

#[cfg(test)]
mod tests {
    use polywire::Router;
    use polywire_proto::grpc::reflection::v1alpha::{
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };

    use super::*;

    #[tokio::test]
    async fn the_older_name_has_the_same_answers_with_the_question() {
        let router = Router::new();
        let sets = [Bytes::from_static(polywire_proto::FILE_DESCRIPTOR_SET)];
        let schemas = Schemas::new(router.clone(), &sets);
        router.add(ServerReflectionServer::new(schemas.clone()));
        let client = ServerReflectionClient::new(ServerReflectionServer::new(schemas));
        let question = |asked| ServerReflectionRequest { message_request: Some(asked), host: "a".to_owned() };
        let symbol = "grpc.reflection.v1alpha.ServerReflection".to_owned();
        let listing = question(MessageRequest::ListServices(String::new()));
        let questions = [listing, question(MessageRequest::FileContainingSymbol(symbol.clone()))];
        let mut answers =
            client.server_reflection_info(Streaming::from_iter(questions.clone())).await.unwrap();
        let mut next = async || answers.message().await.unwrap().unwrap();
        let listed = next().await;
        assert_eq!(
            (listed.valid_host.as_str(), listed.original_request.as_ref()),
            ("a", Some(&questions[0]))
        );
        let Some(MessageResponse::ListServicesResponse(listed)) = listed.message_response else {
            panic!("no list: {listed:?}");
        };
        assert_eq!(listed.service.iter().map(|service| &*service.name).collect::<Vec<_>>(), [symbol]);
        let described = next().await;
        let Some(MessageResponse::FileDescriptorResponse(files)) = described.message_response else {
            panic!("no files: {described:?}");
        };
        assert!(!files.file_descriptor_proto.is_empty());
    }
}
