//! Access: the class of the method and what the caller has proved decide, before any handler sees the call.

mod ended;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use polywire::{
    AccessClass, Caller, Channel, Code, Codec, Context, Identity, Method, Payload, Response, Service,
    ServiceExt as _, ServiceInfo, Status, Streaming,
    access::{AccessControl, AccessRules, Credential, Grant, Members, MethodPattern},
};

pub(super) use ended::ended;

use super::{
    check::{Stop, Verdict, ensure, same},
    probe::{Parcel, ProbeClient, ProbeServer, Script},
    rig::Rig,
};

/// The metadata in which a caller proves something.
const PROOF: &str = "polywire-conformance-proof";

/// What a caller may prove.
const PROOFS: [Option<&str>; 9] = [
    None,
    Some(TOLD),
    Some("stranger"),
    Some("expired"),
    Some("revoked"),
    Some("narrowed"),
    Some("member"),
    Some("operator"),
    Some("application"),
];

/// Proves nothing: the caller says, as a gateway on this machine does, that it calls for a member.
const TOLD: &str = "told";

const SERVICE: &str = "polywire.conformance.v1.Probe";
const UNARY: &str = "/polywire.conformance.v1.Probe/Unary";
const MEMBER: [u8; 32] = [7; 32];

/// The probe's methods, as one of each class.
static TABLES: [[Method; 4]; 4] = [
    table(AccessClass::Public),
    table(AccessClass::Member),
    table(AccessClass::Operator),
    table(AccessClass::Application),
];

const fn table(class: AccessClass) -> [Method; 4] {
    [
        Method::unary(UNARY).access(class),
        Method::server_streaming("/polywire.conformance.v1.Probe/Download").access(class),
        Method::client_streaming("/polywire.conformance.v1.Probe/Upload").access(class),
        Method::bidi_streaming("/polywire.conformance.v1.Probe/Exchange").access(class),
    ]
}

/// Verifies [`PROOF`].
struct Proofs;

impl Credential for Proofs {
    fn verify(&self, cx: &Context) -> Option<Result<Grant, Status>> {
        let grant = match cx.metadata().get(PROOF)? {
            TOLD => return None,
            "expired" | "revoked" => {
                return Some(Err(Status::unauthenticated("the proof is not in force").not_processed()));
            }
            "member" => Grant::by_rules(Identity::Key(MEMBER)),
            "narrowed" => {
                let method = MethodPattern::Method(UNARY.trim_start_matches('/').into());
                Grant::of(Identity::Token("operator".to_owned()), Arc::from([method]))
            }
            name => Grant::by_rules(Identity::Token(name.to_owned())),
        };
        Some(Ok(grant))
    }
}

struct OneMember;

impl Members for OneMember {
    fn is_member(&self, key: &[u8; 32]) -> bool {
        *key == MEMBER
    }
}

fn control() -> Arc<AccessControl> {
    let token = |name: &str| Identity::Token(name.to_owned()).into();
    // The suite calls from this machine.
    let rules = AccessRules::new().trust_local(false);
    let rules = rules.allow([token("operator")], [AccessClass::Operator.into()]);
    let control = AccessControl::new(rules.allow([token("application")], [AccessClass::Application.into()]));
    control.add_credential(Arc::new(Proofs));
    control.set_members(Arc::new(OneMember));
    Arc::new(control)
}

/// The probe with this table, and how many calls have reached it.
struct Classed {
    inner: Channel,
    table: &'static [Method; 4],
    reached: Arc<AtomicUsize>,
}

impl Classed {
    fn new(script: Script, table: &'static [Method; 4]) -> (Self, Arc<AtomicUsize>) {
        let reached = Arc::<AtomicUsize>::default();
        (Self { inner: ProbeServer::new(script).into_channel(), table, reached: reached.clone() }, reached)
    }
}

impl Service for Classed {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.reached.fetch_add(1, Ordering::SeqCst);
        self.inner.unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.reached.fetch_add(1, Ordering::SeqCst);
        self.inner.stream(cx, messages).await
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.table.iter().find(|method| method.path() == path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        vec![ServiceInfo::new(SERVICE, "", self.table)]
    }
}

/// The outcome of a call of each shape with this proof, in the order of the tables.
async fn each_shape(client: &ProbeClient, proof: Option<&str>) -> [Result<(), Status>; 4] {
    let parcels = || Streaming::from_iter([Parcel::numbered(1), Parcel::numbered(2)]);
    let Some(proof) = proof else { return super::certainty::each_shape(client).await };
    let mut cx = Context::new();
    let metadata = cx.metadata_mut();
    let mut add =
        |key, value: &str| metadata.append(key, value).map_err(|error| Status::internal(error.to_string()));
    let added = match proof {
        TOLD => add("polywire-caller", "remote")
            .and_then(|()| add("polywire-caller-identity", &Identity::Key(MEMBER).to_string())),
        proof => add(PROOF, proof),
    };
    if let Err(status) = added {
        return [(); 4].map(|()| Err(status.clone()));
    }
    [
        client.unary(Parcel::default()).context(&cx).await.map(drop),
        client.download(Parcel::default()).context(&cx).await.map(drop),
        client.upload(parcels()).context(&cx).await.map(drop),
        client.exchange(parcels()).context(&cx).await.map(drop),
    ]
}

/// What a call must come to. Some transports prove an identity of every caller, which nothing is allowed to.
fn expected(method: &Method, proof: Option<&str>, is_proved: bool) -> Code {
    let class = method.access_class();
    match proof {
        _ if class == AccessClass::Public => Code::Ok,
        None | Some(TOLD) if is_proved => Code::PermissionDenied,
        None | Some(TOLD | "expired" | "revoked") => Code::Unauthenticated,
        Some("narrowed") if method.path() == UNARY => Code::Ok,
        Some(proof) if proof == class.name() => Code::Ok,
        Some(_) => Code::PermissionDenied,
    }
}

pub(super) async fn decided(rig: Rig) -> Verdict {
    let mut is_proved = false;
    for table in &TABLES {
        let script = rig.script().on_unary(async |arrival, _: Parcel| {
            let proved = arrival.caller.is_some_and(|caller| caller.identity.is_some());
            Ok(Parcel::numbered(proved.into()))
        });
        let (service, reached) = Classed::new(script, table);
        let served = rig.serve_guarded(service, control()).await?;
        let client = served.client().await?;
        let mut allowed = 0;
        if table[0].access_class() == AccessClass::Public {
            is_proved = client.unary(Parcel::default()).await?.number == 1;
            allowed += 1;
        }
        for proof in PROOFS {
            for (method, outcome) in table.iter().zip(each_shape(&client, proof).await) {
                let expected = expected(method, proof, is_proved);
                is_decided(method, proof, outcome, expected)?;
                allowed += usize::from(expected == Code::Ok);
            }
        }
        same("how many calls have reached the service", &reached.load(Ordering::SeqCst), &allowed)?;
        served.one_connection()?;
        drop(client);
        // The next one may bind the same name.
        served.die().await?;
    }
    Ok(())
}

#[track_caller]
fn is_decided(method: &Method, proof: Option<&str>, outcome: Result<(), Status>, expected: Code) -> Verdict {
    let found = outcome.as_ref().map_or_else(Status::code, |()| Code::Ok);
    let call =
        format!("a call of the {} method {} with the proof {proof:?}", method.access_class(), method.path());
    if found != expected {
        return Err(Stop::failed(format_args!("{call}: expected {expected}, found {found}: {outcome:?}")));
    }
    let not_processed = outcome.as_ref().map_or_else(Status::is_not_processed, |()| true);
    ensure(not_processed, format_args!("{call}: expected that nothing was processed, found {outcome:?}"))
}

pub(super) async fn undecoded(rig: Rig) -> Verdict {
    let [_, _, table, _] = &TABLES;
    let (service, reached) = Classed::new(rig.script(), table);
    let served = rig.serve_guarded(service, control()).await?;
    let channel = served.channel().await?;
    // A field that is cut off.
    let junk = || Payload::encoded(Codec::Protobuf, Bytes::from_static(&[0x0a, 5, b'x']));
    for method in table {
        let cx = Context::incoming(method.path(), Arc::new(Caller::new("test")))?.with_codec(Codec::Protobuf);
        let outcome = match method.path() {
            UNARY => channel.unary(cx, junk()).await.map(drop),
            _ => match channel.stream(cx, Streaming::once(junk())).await {
                Ok(mut answers) => answers.message.message().await.map(drop),
                Err(status) => Err(status),
            },
        };
        let found = outcome.as_ref().map_or_else(Status::code, |()| Code::Ok);
        let is_refused = matches!(found, Code::Unauthenticated | Code::PermissionDenied);
        ensure(
            is_refused,
            format_args!("expected that a message that is none is not read, found {outcome:?}"),
        )?;
    }
    same("how many calls have reached the service", &reached.load(Ordering::SeqCst), &0)?;
    served.one_connection()
}
