//! The standard gRPC reflection service, over every transport: grpcurl and `polywire-node call` read the schemas of a
//! service from it.

mod access_comment;
pub mod v1alpha;

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use futures_util::StreamExt;
use polywire::{Code, Router, Service, Status, Streaming, Truncated};
use polywire_proto::grpc::reflection::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use prost::Message;
use prost_reflect::{DescriptorPool, FileDescriptor};

/// Gives clients the services and the schemas of their messages. Source:
/// [gRPC server reflection](https://github.com/grpc/grpc/blob/master/doc/server-reflection.md).
#[polywire::service(package = "grpc.reflection.v1", access = "public")]
pub trait ServerReflection {
    /// Answers each question in turn.
    async fn server_reflection_info(
        &self,
        questions: Streaming<ServerReflectionRequest>,
    ) -> Result<Streaming<ServerReflectionResponse>, Status>;
}

/// The schemas that were compiled into this node, and the services that its router has.
#[derive(Clone, Debug)]
pub struct Schemas {
    router: Router,
    pool: Arc<DescriptorPool>,
}

impl Schemas {
    /// Reads encoded `google.protobuf.FileDescriptorSet`s.
    ///
    /// # Panics
    /// When one of them cannot be decoded: it was compiled in, so the binary is wrong.
    pub fn new(router: Router, descriptor_sets: &[Bytes]) -> Self {
        let mut pool = DescriptorPool::new();
        for set in descriptor_sets {
            if let Err(error) = pool.decode_file_descriptor_set(set.clone()) {
                panic!("invalid compiled-in file descriptor set: {error}");
            }
        }
        Self { router, pool: Arc::new(pool) }
    }

    fn answer(&self, question: &MessageRequest) -> Result<MessageResponse, Status> {
        match question {
            MessageRequest::ListServices(_) => {
                let services = self.router.services();
                let names = services.iter().map(|info| ServiceResponse { name: info.name().to_owned() });
                Ok(MessageResponse::ListServicesResponse(ListServiceResponse { service: names.collect() }))
            }
            MessageRequest::FileByFilename(name) => self.files(self.pool.get_file_by_name(name), name),
            MessageRequest::FileContainingSymbol(symbol) => self.files(self.file_of(symbol), symbol),
            MessageRequest::FileContainingExtension(extension) => {
                let message = self.pool.get_message_by_name(&extension.containing_type);
                let number = u32::try_from(extension.extension_number).ok();
                let found = message.zip(number).and_then(|(message, number)| message.get_extension(number));
                self.files(found.map(|extension| extension.parent_file()), &extension.containing_type)
            }
            MessageRequest::AllExtensionNumbersOfType(name) => {
                let message = self.pool.get_message_by_name(name).ok_or_else(|| unknown(name))?;
                let numbers = message.extensions().filter_map(|extension| extension.number().try_into().ok());
                let extension_number = numbers.collect();
                let answer = ExtensionNumberResponse { base_type_name: name.clone(), extension_number };
                Ok(MessageResponse::AllExtensionNumbersResponse(answer))
            }
        }
    }

    /// The file and every file that it imports, each once, those that others need first.
    fn files(&self, file: Option<FileDescriptor>, asked: &str) -> Result<MessageResponse, Status> {
        let file = file.ok_or_else(|| unknown(asked))?;
        let mut answer = FileDescriptorResponse::default();
        self.collect(&file, &mut BTreeSet::new(), &mut answer);
        // By custom, the file that was asked for comes first.
        answer.file_descriptor_proto.reverse();
        Ok(MessageResponse::FileDescriptorResponse(answer))
    }

    fn collect(
        &self,
        file: &FileDescriptor,
        seen: &mut BTreeSet<String>,
        answer: &mut FileDescriptorResponse,
    ) {
        if seen.insert(file.name().to_owned()) {
            file.dependencies().for_each(|dependency| self.collect(&dependency, seen, answer));
            let described = access_comment::described(file, &self.router);
            answer.file_descriptor_proto.push(described.encode_to_vec().into());
        }
    }

    /// The file that declares a service, a message, an enum or an extension, or what is part of one: a
    /// method, a field, a value.
    fn file_of(&self, symbol: &str) -> Option<FileDescriptor> {
        // One step up and no further: a peer chooses how many dots there are.
        self.declared(symbol).or_else(|| self.declared(symbol.rsplit_once('.')?.0))
    }

    fn declared(&self, symbol: &str) -> Option<FileDescriptor> {
        let pool = &self.pool;
        let service = |name: &str| pool.get_service_by_name(name).map(|service| service.parent_file());
        service(symbol)
            .or_else(|| pool.get_message_by_name(symbol).map(|message| message.parent_file()))
            .or_else(|| pool.get_enum_by_name(symbol).map(|declared| declared.parent_file()))
            .or_else(|| pool.get_extension_by_name(symbol).map(|extension| extension.parent_file()))
    }
}

impl ServerReflection for Schemas {
    async fn server_reflection_info(
        &self,
        questions: Streaming<ServerReflectionRequest>,
    ) -> Result<Streaming<ServerReflectionResponse>, Status> {
        let schemas = self.clone();
        Ok(Streaming::new(questions.map(move |question| {
            let question = question?;
            let asked = question.message_request.as_ref();
            let asked = asked
                .ok_or_else(|| Status::invalid_argument("missing message_request; expected a question"))?;
            let answer = schemas.answer(asked).unwrap_or_else(|status| {
                MessageResponse::ErrorResponse(ErrorResponse {
                    error_code: status.code().number().into(),
                    error_message: status.message().to_owned(),
                })
            });
            Ok(ServerReflectionResponse {
                valid_host: question.host.clone(),
                message_response: Some(answer),
                original_request: Some(question),
            })
        })))
    }
}

fn unknown(symbol: &str) -> Status {
    Status::new(Code::NotFound, format!("symbol or file {:?} not found", Truncated(symbol)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(question: MessageRequest) -> MessageResponse {
        let schemas = Schemas::new(Router::new(), &[Bytes::from_static(polywire_proto::FILE_DESCRIPTOR_SET)]);
        let client = ServerReflectionClient::new(ServerReflectionServer::new(schemas));
        let question = ServerReflectionRequest { message_request: Some(question), ..Default::default() };
        let mut answers = client.server_reflection_info(Streaming::once(question)).await.unwrap();
        answers.message().await.unwrap().unwrap().message_response.unwrap()
    }

    async fn refusal(symbol: String) -> ErrorResponse {
        match ask(MessageRequest::FileContainingSymbol(symbol)).await {
            MessageResponse::ErrorResponse(error) => error,
            other => panic!("found {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_symbol_is_found_by_what_it_is_part_of() {
        for symbol in [
            "grpc.health.v1.Health",
            "grpc.health.v1.Health.Check",
            "grpc.health.v1.HealthCheckRequest.service",
        ] {
            let answer = ask(MessageRequest::FileContainingSymbol(symbol.to_owned())).await;
            assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)), "{symbol}: {answer:?}");
        }
    }

    #[tokio::test]
    async fn the_comment_of_a_method_says_its_class_behind_what_the_schema_says() {
        let sets = [Bytes::from_static(polywire_proto::FILE_DESCRIPTOR_SET)];
        let router = Router::new();
        let schemas = Schemas::new(router.clone(), &sets);
        router.add(ServerReflectionServer::new(schemas.clone()));
        let of = |symbol: &str| {
            let file = schemas.declared(symbol).unwrap();
            access_comment::described(&file, &router)
        };
        let reflected = of("grpc.reflection.v1.ServerReflection");
        let comments: Vec<_> = reflected
            .source_code_info
            .iter()
            .flat_map(|source| &source.location)
            .filter(|location| location.path == [6, 0, 2, 0])
            .map(|location| location.leading_comments().to_owned())
            .collect();
        assert_eq!(comments.len(), 1, "{comments:?}");
        assert!(comments[0].ends_with("\n Access: public.\n") && comments[0].len() > 20, "{comments:?}");
        // The router has no such service.
        let file = schemas.declared("grpc.health.v1.Health").unwrap();
        assert_eq!(&of("grpc.health.v1.Health"), file.file_descriptor_proto());
    }

    #[tokio::test]
    async fn a_symbol_of_a_million_dots_is_merely_not_found() {
        let error = refusal(".".repeat(1_000_000)).await;
        assert_eq!(error.error_code, i32::from(Code::NotFound.number()));
        assert!(error.error_message.len() < 200);
    }
}
