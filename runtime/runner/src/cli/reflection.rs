//! gRPC's server reflection, as a client of it, over whatever transport leads to the server.
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
use super::lanes::Lanes;
use futures_util::future::BoxFuture;
use polywire_core::{Code, Codec, Metadata, Payload, Service as _, Status, Streaming};

/// The service under its name of today, and the one that older servers know it by. Their messages are the
/// same.
const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The messages and services around this symbol.
pub(super) async fn describe(
    lanes: &Lanes,
    metadata: &Metadata,
    symbol: &str,
) -> Result<DescriptorPool, Status> {
    ask(lanes, metadata, async |conversation: &mut Conversation| {
        let files = conversation.files(Question::FileContainingSymbol(symbol.to_owned())).await?;
        pool(conversation.with_imports(files).await?)
    })
    .await
}

/// Every service with the descriptors around it, in the order of the server.
pub(super) async fn services(
    lanes: &Lanes,
    metadata: &Metadata,
) -> Result<(Vec<String>, DescriptorPool), Status> {
    ask(lanes, metadata, async |conversation: &mut Conversation| {
        let names = conversation.services().await?;
        let mut files = Vec::new();
        for name in &names {
            match conversation.files(Question::FileContainingSymbol(name.clone())).await {
                Ok(found) => files.extend(found),
                // It is served nevertheless, and can be listed without its methods.
                Err(status) if status.code() == Code::NotFound => {}
                Err(status) => return Err(status),
            }
        }
        Ok((names, pool(conversation.with_imports(files).await?)?))
    })
    .await
}

/// Holds a conversation under the first name of the service that answers: a proxy may know the older one alone, and
/// refuse the other with any code.
async fn ask<T>(
    lanes: &Lanes,
    metadata: &Metadata,
    talk: impl AsyncFn(&mut Conversation) -> Result<T, Status>,
) -> Result<T, Status> {
    let [path, older] = PATHS;
    let talking = async {
        let status = match talk(&mut Conversation::start(lanes, metadata, path)).await {
            Err(status) if !lanes.is_final(&status) => status,
            outcome => return outcome,
        };
        match talk(&mut Conversation::start(lanes, metadata, older)).await {
            // Which it does not have says less than what the other said.
            Err(second) if second.code() == Code::Unimplemented => Err(status),
            outcome => outcome,
        }
    };
    lanes.in_time(talking).await
}

/// A stream of questions, each answered in turn.
struct Conversation {
    questions: mpsc::Sender<Result<Payload, Status>>,
    answers: Answers,
}

enum Answers {
    /// The server may wait for a question before it answers at all.
    Opening(BoxFuture<'static, Result<Streaming<Payload>, Status>>),
    Open(Streaming<Payload>),
}

impl Conversation {
    fn start(lanes: &Lanes, metadata: &Metadata, path: &str) -> Self {
        let (questions, requests) = Streaming::channel(1);
        // Foreign servers know no other codec.
        let cx = lanes.context(path, metadata, Some(Codec::Protobuf), true);
        let channel = lanes.channel.clone();
        let opening = async move { Ok(channel.stream(cx, requests).await?.into_message()) };
        Self { questions, answers: Answers::Opening(opening.boxed()) }
    }

    async fn ask(&mut self, question: Question) -> Result<Answer, Status> {
        let request = Request { host: String::new(), question: Some(question) };
        // Where nobody takes it any more, the answer says why.
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
            None => Err(unfit("answered nothing")),
        }
    }

    async fn services(&mut self) -> Result<Vec<String>, Status> {
        match self.ask(Question::ListServices(String::new())).await? {
            Answer::Services(list) => Ok(list.service.into_iter().map(|service| service.name).collect()),
            _ => Err(unfit("answered another question")),
        }
    }

    async fn files(&mut self, question: Question) -> Result<Vec<FileDescriptorProto>, Status> {
        let Answer::Files(found) = self.ask(question).await? else {
            return Err(unfit("answered another question"));
        };
        let decode = |file: Bytes| {
            FileDescriptorProto::decode(file).map_err(|error| unfit(&format!("sent no descriptor: {error}")))
        };
        found.file_descriptor_proto.into_iter().map(decode).collect()
    }

    /// The files and everything that they import. A server may send imports along, or wait to be asked
    /// for them; those of protobuf itself it may not have at all.
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
        .map_err(|error| unfit(&format!("sent descriptors that do not fit together: {error}")))?;
    Ok(pool)
}

fn unfit(what: &str) -> Status {
    Status::internal(format!("the server's reflection {what}"))
}

#[cfg(test)]
#[cfg(feature = "grpc")]
mod tests;
