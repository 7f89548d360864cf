//! A client of gRPC's server reflection, over any transport.
//!
//! Source: [gRPC server reflection](https://github.com/grpc/grpc/blob/master/doc/server-reflection.md).

pub(super) mod message;

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use futures_util::FutureExt;
use prost::Message as _;
use prost_reflect::{DescriptorPool, prost_types::FileDescriptorProto};
use tokio::sync::mpsc;

use self::message::{Answer, Question, ReflectionResponse, Request};
use super::{connect::Client, lookup};
use futures_util::future::BoxFuture;
use polywire_core::{Code, Codec, Metadata, Payload, Service as _, Status, Streaming};

/// The method in the current version of the service and in the older one, which some servers only have. The messages are
/// the same.
const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The descriptors of the file that defines this symbol, and of its imports.
pub(super) async fn describe(
    client: &Client,
    metadata: &Metadata,
    symbol: &str,
) -> Result<DescriptorPool, Status> {
    ask(client, metadata, async |conversation: &mut Conversation| {
        let files = conversation.files(Question::FileContainingSymbol(symbol.to_owned())).await?;
        pool(conversation.with_imports(files).await?)
    })
    .await
}

/// The names of all services in the server's order, and their descriptors.
pub(super) async fn services(
    client: &Client,
    metadata: &Metadata,
) -> Result<(Vec<String>, DescriptorPool), Status> {
    ask(client, metadata, async |conversation: &mut Conversation| {
        let names = conversation.services().await?;
        let mut files = Vec::new();
        for name in &names {
            match conversation.files(Question::FileContainingSymbol(name.clone())).await {
                Ok(found) => files.extend(found),
                // The service is listed without its methods.
                Err(status) if status.code() == Code::NotFound => {}
                Err(status) => return Err(status),
            }
        }
        Ok((names, pool(conversation.with_imports(files).await?)?))
    })
    .await
}

/// Runs a conversation with the current version of the service, then with the older one: a proxy may only know the older
/// one, and refuse the other with any code.
async fn ask<T>(
    client: &Client,
    metadata: &Metadata,
    talk: impl AsyncFn(&mut Conversation) -> Result<T, Status>,
) -> Result<T, Status> {
    let [path, older] = PATHS;
    let talking = async {
        let status = match talk(&mut Conversation::start(client, metadata, path)).await {
            Err(status) if !client.is_final(&status) => status,
            outcome => return outcome,
        };
        match talk(&mut Conversation::start(client, metadata, older)).await {
            // The status of the current version says more than that of an older one which the server lacks. A node denies the
            // access to methods that it lacks.
            Err(second) if second.code() == Code::Unimplemented => Err(status),
            Err(second) if status.code() == Code::NotFound && lookup::is_denied(&second) => Err(status),
            outcome => outcome,
        }
    };
    client.in_time(talking).await
}

/// A stream of questions and their answers, in turn.
struct Conversation {
    questions: mpsc::Sender<Result<Payload, Status>>,
    answers: Answers,
}

enum Answers {
    /// The call is not answered yet: the server may wait for the first question.
    Opening(BoxFuture<'static, Result<Streaming<Payload>, Status>>),
    Open(Streaming<Payload>),
}

impl Conversation {
    fn start(client: &Client, metadata: &Metadata, path: &str) -> Self {
        let (questions, requests) = Streaming::channel(1);
        // gRPC servers in general know no other codec.
        let cx = client.context(path, metadata, Some(Codec::Protobuf), true);
        let channel = client.channel.clone();
        let opening = async move { Ok(channel.stream(cx, requests).await?.into_message()) };
        Self { questions, answers: Answers::Opening(opening.boxed()) }
    }

    async fn ask(&mut self, question: Question) -> Result<Answer, Status> {
        let request = Request { host: String::new(), question: Some(question) };
        // If the stream has ended, the answer carries its status.
        let _ = self.questions.try_send(Ok(Payload::new(request)));
        if let Answers::Opening(opening) = &mut self.answers {
            self.answers = Answers::Open(opening.await?);
        }
        let answer = match &mut self.answers {
            Answers::Open(answers) => answers.message().await?,
            Answers::Opening(_) => None,
        };
        let Some(answer) = answer else { return Err(unfit("ended without an answer")) };
        match answer.decode::<ReflectionResponse>()?.answer {
            Some(Answer::Error(error)) => {
                let code = Code::from_number(u64::try_from(error.error_code).unwrap_or(u64::MAX));
                Err(Status::new(code, error.error_message))
            }
            Some(answer) => Ok(answer),
            None => Err(unfit("sent an empty answer")),
        }
    }

    async fn services(&mut self) -> Result<Vec<String>, Status> {
        match self.ask(Question::ListServices(String::new())).await? {
            Answer::Services(list) => Ok(list.service.into_iter().map(|service| service.name).collect()),
            _ => Err(unfit("sent an answer to another question")),
        }
    }

    async fn files(&mut self, question: Question) -> Result<Vec<FileDescriptorProto>, Status> {
        let Answer::Files(found) = self.ask(question).await? else {
            return Err(unfit("sent an answer to another question"));
        };
        let decode = |file: Bytes| {
            FileDescriptorProto::decode(file)
                .map_err(|error| unfit(&format!("sent an invalid descriptor: {error}")))
        };
        found.file_descriptor_proto.into_iter().map(decode).collect()
    }

    /// The files and all of their imports. A server may send imports along or on request; it may lack protobuf's own.
    async fn with_imports(
        &mut self,
        files: Vec<FileDescriptorProto>,
    ) -> Result<Vec<FileDescriptorProto>, Status> {
        let own = DescriptorPool::global();
        let mut known = HashMap::new();
        let mut asked = BTreeSet::new();
        let mut arrived = files;
        loop {
            known.extend(arrived.drain(..).map(|file| (file.name().to_owned(), file)));
            let missing = known.values().flat_map(|file| &file.dependency);
            let missing = missing.filter(|name| !known.contains_key(*name) && !asked.contains(*name)).min();
            let Some(missing) = missing.cloned() else { return Ok(known.into_values().collect()) };
            asked.insert(missing.clone());
            arrived = match own.get_file_by_name(&missing) {
                Some(file) => vec![file.file_descriptor_proto().clone()],
                None => self.files(Question::FileByFilename(missing)).await?,
            };
        }
    }
}

fn pool(files: Vec<FileDescriptorProto>) -> Result<DescriptorPool, Status> {
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_protos(files)
        .map_err(|error| unfit(&format!("sent inconsistent descriptors: {error}")))?;
    Ok(pool)
}

fn unfit(what: &str) -> Status {
    Status::internal(format!("the server's reflection {what}"))
}

#[cfg(test)]
#[cfg(feature = "grpc")]
mod tests;
