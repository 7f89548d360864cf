use super::{
    message::{ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServiceResponse},
    *,
};
use crate::{Channel, cli::demo};

/// A server that knows the files of the demo, under one of the two names of the service. It sends no file
/// but the one that it was asked for, and leaves protobuf's own to the client, as many servers do.
fn server(path: &'static str) -> Channel {
    let files = demo::pool();
    demo::peer(move |cx, questions| {
        if cx.path() != path {
            return Err(Status::unimplemented("").not_processed());
        }
        let files = files.clone();
        let answers = futures_util::StreamExt::map(questions, move |question| {
            let question = question?.decode::<Request>()?.question;
            Ok(Payload::new(ReflectionResponse {
                answer: question.map(|question| answer(&files, &question)),
            }))
        });
        Ok(Streaming::new(answers))
    })
}

fn answer(files: &DescriptorPool, question: &Question) -> Answer {
    let file = match question {
        Question::ListServices(_) => {
            let names = ["demo.v1.Demo", "gone.v1.Gone"];
            let service = names.map(|name| ServiceResponse { name: name.to_owned() });
            return Answer::Services(ListServiceResponse { service: service.into() });
        }
        Question::FileContainingSymbol(name) => {
            files.get_service_by_name(name).map(|service| service.parent_file())
        }
        Question::FileByFilename(name) => {
            files.get_file_by_name(name).filter(|_| !name.starts_with("google/"))
        }
    };
    match file {
        Some(file) => {
            let file_descriptor_proto = vec![file.encode_to_vec().into()];
            Answer::Files(FileDescriptorResponse { file_descriptor_proto })
        }
        None => Answer::Error(ErrorResponse { error_code: 5, error_message: "who?".to_owned() }),
    }
}

async fn lanes(server: Channel) -> Lanes {
    Lanes::in_process([server]).await
}

#[tokio::test]
async fn a_service_is_described_with_everything_that_its_file_imports() {
    for path in PATHS {
        let pool = describe(&lanes(server(path)).await, &Metadata::new(), "demo.v1.Demo").await.unwrap();
        let item = pool.get_message_by_name("demo.v1.Item").unwrap();
        assert_eq!(item.get_field_by_name("color").unwrap().kind().as_enum().unwrap().values().len(), 2);
        assert!(pool.get_message_by_name("google.protobuf.Timestamp").is_some());
    }
}

#[tokio::test]
async fn every_service_is_listed_also_one_that_nothing_is_known_of() {
    let (names, pool) = services(&lanes(server(PATHS[0])).await, &Metadata::new()).await.unwrap();
    assert_eq!(names, ["demo.v1.Demo", "gone.v1.Gone"]);
    assert_eq!(pool.get_service_by_name("demo.v1.Demo").unwrap().methods().len(), 5);
}

#[tokio::test]
async fn a_symbol_that_the_server_does_not_know_is_not_found() {
    let status =
        describe(&lanes(server(PATHS[0])).await, &Metadata::new(), "gone.v1.Gone").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "who?"));
}

#[tokio::test]
async fn a_server_that_ends_the_conversation_is_no_reason_to_wait() {
    let mute = demo::peer(|_, _| Ok(Streaming::empty()));
    let status = describe(&lanes(mute).await, &Metadata::new(), "demo.v1.Demo").await.unwrap_err();
    assert_eq!(status.message(), "the server's reflection ended without an answer");
}
