//! What is known of a method before it is called, and where that comes from.

use std::sync::Arc;

use bytes::Bytes;
use prost_reflect::{
    DescriptorPool, MethodDescriptor, ServiceDescriptor, prost_types::method_options::IdempotencyLevel,
};
use tokio::sync::mpsc;
use tracing::debug;

use super::{
    call::{Form, MethodName, details},
    directory::{self, Service},
    failure::Failure,
    json::{Question, Types},
    lanes::Lanes,
    print::note,
    reflection,
    suggest::{self, Known},
};
use polywire_core::{Code, Metadata, Shape, Status};

/// The transport that strangers answer on.
const GRPC: &str = "grpc";

/// How a method is called.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    pub(super) form: Form,
    /// `None` where nobody says: then it is called as the shape that every other is a case of.
    pub(super) shape: Option<Shape>,
    pub(super) idempotent: bool,
}

/// Looks for the method in the descriptors of this binary, then asks the target's reflection, then its
/// directory.
///
/// # Errors
/// `Unimplemented` when a source knows everything that is served, and not this method; bad usage where a service is named
/// without a method; the status of a target that cannot be asked.
pub(super) async fn find(
    lanes: &Lanes,
    sets: &[Bytes],
    metadata: &Metadata,
    method: &MethodName,
) -> Result<(Schema, Option<mpsc::Receiver<Question>>), Failure> {
    let compiled_in = compiled_in(sets);
    let described = |descriptor: &MethodDescriptor| {
        let pools = [descriptor.parent_pool().clone(), compiled_in.clone(), details::standard()];
        let (types, questions) = Types::asking(pools);
        (Schema::described(descriptor, Arc::new(types)), Some(questions))
    };
    if let Some(bare) = method.bare_service().and_then(|bare| compiled_in.get_service_by_name(bare)) {
        return Err(without_method(&known(&bare)));
    }
    let own = compiled_in.get_service_by_name(method.service());
    if let Some(descriptor) = own.and_then(|service| named(&service, method)) {
        debug!(method = method.path(), "the schema is compiled in");
        return Ok(described(&descriptor));
    }
    let reflection = match reflection::describe(lanes, metadata, method.service()).await {
        Ok(pool) => match pool.get_service_by_name(method.service()) {
            Some(service) => return Ok(described(&reflected(&service, method)?)),
            None => Status::not_found("its answer lacks the service"),
        },
        Err(status) if lanes.is_final(&status) => return Err(status.into()),
        Err(status) => status,
    };
    debug!(method = method.path(), status = %reflection, "no schema from reflection");
    let directory = match directory::list(lanes, metadata).await {
        Ok(services) => {
            let schema = listed(&services, method)?;
            note(format_args!(
                "note: nobody has the schema of {}: JSON is sent by Rust field names, and a name that is not one is ignored",
                method.service()
            ));
            return Ok((schema, None));
        }
        Err(status) if lanes.is_final(&status) => return Err(status.into()),
        Err(status) => status,
    };
    debug!(method = method.path(), status = %directory, "no shape from the directory");
    Ok((undescribed(lanes, metadata, method, reflection, &directory).await?, None))
}

/// What is left to do where nobody has a schema, and why.
async fn undescribed(
    lanes: &Lanes,
    metadata: &Metadata,
    method: &MethodName,
    reflection: Status,
    directory: &Status,
) -> Result<Schema, Failure> {
    let service = method.service();
    // Whoever answers on our framing reads MessagePack by field names; gRPC servers in general do not.
    if lanes.transport() != GRPC {
        return Ok(Schema { form: Form::Plain, shape: None, idempotent: false });
    }
    if reflection.code() == Code::NotFound {
        return Err(unreflected(lanes, metadata, method).await);
    }
    let message = format!(
        "the messages of {service} are not known: this binary has no descriptor of it, the target's reflection \
         answers {reflection}, its directory {directory}"
    );
    Err(reflection.with_message(message).into())
}

/// Why a method cannot be called whose service the target's reflection does not know.
async fn unreflected(lanes: &Lanes, metadata: &Metadata, method: &MethodName) -> Failure {
    let known: Vec<_> = match reflection::services(lanes, metadata).await {
        Ok((names, pool)) => {
            let described = |name: String| match pool.get_service_by_name(&name) {
                Some(service) => known(&service),
                None => Known { service: name, methods: Vec::new() },
            };
            names.into_iter().map(described).collect()
        }
        // What it does not list cannot be offered.
        Err(_) => Vec::new(),
    };
    unknown_service(method, "the target's reflection knows", &known)
}

/// Whether calling the method twice does what calling it once does, according to the target's directory.
pub(super) async fn is_idempotent(lanes: &Lanes, metadata: &Metadata, method: &MethodName) -> bool {
    let services = directory::list(lanes, metadata).await.unwrap_or_default();
    listed(&services, method).is_ok_and(|schema| schema.idempotent)
}

impl Schema {
    fn described(method: &MethodDescriptor, types: Arc<Types>) -> Self {
        Self {
            form: Form::Described { input: method.input(), output: method.output(), types },
            shape: Some(directory::shape(method.is_client_streaming(), method.is_server_streaming())),
            idempotent: is_repeatable(method),
        }
    }
}

/// Whether the method's options say that it may be called twice.
pub(super) fn is_repeatable(method: &MethodDescriptor) -> bool {
    let options = method.method_descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.idempotency_level() != IdempotencyLevel::IdempotencyUnknown)
}

/// The descriptors of this binary. A set that contradicts an earlier one is left out.
fn compiled_in(sets: &[Bytes]) -> DescriptorPool {
    let mut pool = DescriptorPool::new();
    for set in sets {
        if let Err(error) = pool.decode_file_descriptor_set(set.clone()) {
            debug!(%error, "a descriptor set of this binary was left out");
        }
    }
    pool
}

fn reflected(service: &ServiceDescriptor, method: &MethodName) -> Result<MethodDescriptor, Failure> {
    debug!(method = method.path(), "the schema comes from reflection");
    named(service, method).ok_or_else(|| unknown_method(method, known(service)))
}

fn listed(services: &[Service], method: &MethodName) -> Result<Schema, Failure> {
    let known = |service: &Service| Known {
        service: service.name.clone(),
        methods: service.methods.iter().map(|method| method.name.clone()).collect(),
    };
    let Some(service) = services.iter().find(|service| service.name == method.service()) else {
        let known: Vec<_> = services.iter().map(known).collect();
        return Err(unknown_service(method, "the target serves", &known));
    };
    let Some(found) = service.methods.iter().find(|found| found.name == method.name()) else {
        return Err(unknown_method(method, known(service)));
    };
    Ok(Schema { form: Form::Plain, shape: Some(found.shape()), idempotent: found.idempotent })
}

fn named(service: &ServiceDescriptor, method: &MethodName) -> Option<MethodDescriptor> {
    service.methods().find(|candidate| candidate.name() == method.name())
}

fn known(service: &ServiceDescriptor) -> Known {
    let methods = service.methods().map(|method| method.name().to_owned());
    Known { service: service.full_name().to_owned(), methods: methods.collect() }
}

/// A service was named, and none of its methods.
fn without_method(service: &Known) -> Failure {
    let Known { service, methods } = service;
    let paths = suggest::paths(service, methods);
    Failure::usage(format!("{service}: the method is missing; expected one of {paths}"))
}

/// The target serves these, and not the method's service.
fn unknown_service(method: &MethodName, who: &str, known: &[Known]) -> Failure {
    let bare = known.iter().find(|known| Some(&*known.service) == method.bare_service());
    if let Some(service) = bare {
        return without_method(service);
    }
    let names: Vec<_> = known.iter().map(|known| known.service.as_str()).collect();
    not_served(method, who, &names, known).into()
}

/// The service has no such method.
fn unknown_method(method: &MethodName, service: Known) -> Failure {
    let service = [service];
    let names: Vec<_> = service[0].methods.iter().map(String::as_str).collect();
    not_served(method, &format!("{} has", method.service()), &names, &service).into()
}

fn not_served(method: &MethodName, who: &str, names: &[&str], known: &[Known]) -> Status {
    let path = method.path();
    let meant = suggest::meant(method, known).map(|meant| format!("did you mean `{meant}`? "));
    let (meant, names) = (meant.unwrap_or_default(), names.join(", "));
    Status::unimplemented(format!("no method {path} is served here; {meant}{who} {names}")).not_processed()
}
