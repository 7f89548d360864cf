//! Streams that are open when what allowed them ends.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime},
};

use super::*;
use crate::{Streaming, access::lease};
use futures_util::{FutureExt as _, StreamExt as _};

static WATCH: Method = Method::server_streaming("/a.v1.A/Watch");

/// A credential that proves a key until it is told otherwise, and that may be presented once.
#[derive(Clone, Default)]
struct Once(Arc<OnceState>);

#[derive(Default)]
struct OnceState {
    presented: AtomicBool,
    revoked: AtomicBool,
}

impl Credential for Once {
    fn verify(&self, cx: &Context) -> Option<Result<Grant, Status>> {
        match self.0.presented.swap(true, Ordering::Relaxed) {
            true => Some(Err(Status::unauthenticated("used already").not_processed())),
            false => self.verify_again(cx),
        }
    }

    fn verify_again(&self, _: &Context) -> Option<Result<Grant, Status>> {
        Some(match self.0.revoked.load(Ordering::Relaxed) {
            true => Err(Status::unauthenticated("revoked token").not_processed()),
            false => Ok(Grant::by_rules(KEY)),
        })
    }
}

/// A stream without an end, opened by this caller; `None` if nothing can end it.
fn open(access: &AccessControl, method: &'static Method, caller: Caller) -> Option<Streaming<()>> {
    let lease = access.authorize_stream(&mut call(method, caller)).unwrap()?;
    Some(lease::bound_stream(Some(lease), Streaming::new(futures_util::stream::pending())))
}

/// How the stream ends, and within a second.
async fn end(stream: &mut Streaming<()>) -> (Code, String) {
    let ended = tokio::time::timeout(Duration::from_secs(1), stream.message()).await.expect("it has ended");
    let status = ended.unwrap_err();
    assert!(!status.is_not_processed(), "its messages may have been");
    assert!(stream.next().await.is_none());
    (status.code(), status.message().to_owned())
}

async fn is_open(stream: &mut Streaming<()>) -> bool {
    tokio::time::timeout(Duration::from_secs(60), stream.next()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_once_its_credential_is_revoked() {
    let access = allow(&KEY.to_string(), "application");
    let token = Once::default();
    access.add_credential(Arc::new(token.clone()));
    let mut stream = open(&access, &WATCH, stranger()).unwrap();
    assert!(is_open(&mut stream).await, "what may be presented once is not presented again");
    token.0.revoked.store(true, Ordering::Relaxed);
    let expected = "access to this stream has ended: revoked token".to_owned();
    assert_eq!(end(&mut stream).await, (Code::Unauthenticated, expected));
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_once_no_rule_allows_it_and_others_go_on() {
    let (key, uid) = (proved(KEY), proved(Identity::Uid(7)));
    let access = allow(&KEY.to_string(), "application");
    access.replace_rules(
        access.rules().as_ref().clone().allow([Identity::Uid(7).into()], ["a.v1.A/*".parse().unwrap()]),
    );
    let mut removed = open(&access, &WATCH, key).unwrap();
    let mut kept = open(&access, &WATCH, uid).unwrap();
    assert!(is_open(&mut removed).await);
    access.replace_rules(
        AccessRules::new().allow([Identity::Uid(7).into()], ["a.v1.A/Watch".parse().unwrap()]),
    );
    assert_eq!(end(&mut removed).await.0, Code::PermissionDenied);
    assert!(is_open(&mut kept).await);
}

#[tokio::test(start_paused = true)]
async fn a_members_stream_ends_once_it_is_a_member_no_more() {
    static APPEND: Method = Method::bidi_streaming("/a.v1.A/AppendAll").access(AccessClass::Member);
    let access = AccessControl::new(AccessRules::new());
    access.set_members(Arc::new(Only([7; 32])));
    let mut stream = open(&access, &APPEND, proved(KEY)).unwrap();
    assert!(is_open(&mut stream).await);
    access.set_members(Arc::new(Only([8; 32])));
    assert_eq!(end(&mut stream).await.0, Code::PermissionDenied);
}

#[tokio::test(start_paused = true)]
async fn an_identity_ends_with_its_certificate() {
    let access = allow("dns:a.example", "application");
    let identity = || Identity::Dns("a.example".to_owned());
    let until = |expires| stranger().with_identity_until(identity(), expires);
    let now = SystemTime::now();
    assert_eq!(decide(&access, call(&APPLICATION, until(now))), Code::Unauthenticated);
    assert_eq!(decide(&access, call(&APPLICATION, until(now + Duration::from_secs(60)))), Code::Ok);
    // The clock of certificates does not stop for a test.
    let mut stream = open(&access, &WATCH, until(now + Duration::from_millis(200))).unwrap();
    while SystemTime::now() < now + Duration::from_millis(200) {
        assert!(stream.next().now_or_never().is_none());
        std::thread::yield_now();
    }
    assert_eq!(end(&mut stream).await.0, Code::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_waited_for_ends_too() {
    let access = allow(&KEY.to_string(), "application");
    let lease = access.authorize_stream(&mut call(&WATCH, proved(KEY))).unwrap();
    access.replace_rules(AccessRules::new());
    let ended = lease::bound(lease.as_ref(), std::future::pending::<Result<(), Status>>()).await;
    assert_eq!(ended.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn nothing_asks_about_streams_that_nothing_can_end() {
    let access = AccessControl::new(AccessRules::new());
    assert!(open(&access, &WATCH, Caller::new("unix").local()).is_none());
    assert!(open(&access, &PUBLIC, stranger()).is_none());
    let access = AccessControl::new(AccessRules::insecure());
    assert!(open(&access, &WATCH, stranger()).is_none());
}

#[tokio::test(start_paused = true)]
async fn streams_that_have_ended_are_forgotten() {
    let access = allow(&KEY.to_string(), "application");
    for _ in 0..3 {
        drop(open(&access, &WATCH, proved(KEY)));
    }
    // The clock is paused: it jumps, and nothing is waited for.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(format!("{:?}", access.open), "OpenStreams { leases: 0, .. }");
    // The next one is asked about as the first one was.
    let mut stream = open(&access, &WATCH, proved(KEY)).unwrap();
    access.replace_rules(AccessRules::new());
    assert_eq!(end(&mut stream).await.0, Code::PermissionDenied);
}

/// Fails when it is asked again.
struct Panics;

impl Credential for Panics {
    fn verify(&self, _: &Context) -> Option<Result<Grant, Status>> {
        Some(Ok(Grant::by_rules(KEY)))
    }

    fn verify_again(&self, _: &Context) -> Option<Result<Grant, Status>> {
        panic!("as the test wants")
    }
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_panics_costs_its_stream_alone() {
    let access = allow(&KEY.to_string(), "application");
    access.add_credential(Arc::new(Panics));
    for _ in 0..2 {
        let mut stream = open(&access, &WATCH, stranger()).unwrap();
        assert_eq!(end(&mut stream).await.0, Code::Internal);
    }
}
