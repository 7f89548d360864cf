//! The cases themselves, within the process.

use polywire::{Router, ServiceExt as _};
use polywire_interop::{
    cases::{self, Peer},
    implementation::Implementation,
    service::TestServiceServer,
};
use polywire_tests::patience::within;

#[tokio::test]
async fn every_case_passes_within_the_process() {
    let peer = Peer::new(Router::new().with(TestServiceServer::new(Implementation)).into_channel());
    for case in cases::ALL {
        within(case.run(&peer)).await.unwrap_or_else(|failure| panic!("{}: {failure}", case.name()));
    }
}

#[tokio::test]
async fn no_case_passes_where_nothing_is_served_but_those_that_expect_it() {
    let peer = Peer::new(Router::new().into_channel());
    for case in cases::ALL {
        let expected = matches!(case.name(), "unimplemented_method" | "unimplemented_service");
        let passed = within(case.run(&peer)).await.is_ok();
        assert_eq!(passed, expected, "{}", case.name());
    }
}
