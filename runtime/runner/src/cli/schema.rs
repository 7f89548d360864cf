//! The schema of a method, from the binary, reflection or the directory.

use std::sync::Arc;

use bytes::Bytes;
use prost_reflect::{
    DescriptorPool, MethodDescriptor, ServiceDescriptor, prost_types::method_options::IdempotencyLevel,
};
use tokio::sync::mpsc;
use tracing::debug;

use super::{
    call::{Form, MethodName, details},
    connect::Client,
    directory::{self, Service},
    failure::Failure,
    json::{Question, Types},
    lookup, reflection,
    suggest::{self, Known},
};
use polywire_core::{Code, Metadata, Method, Shape, Status};

/// The transport that is also common to other servers.
const GRPC: &str = "grpc";

/// The schema of a method.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    pub(super) form: Form,
    /// `None` if unknown: the call is bidirectional, which covers every shape.
    pub(super) shape: Option<Shape>,
    pub(super) idempotent: bool,
}

/// Looks the method up in the descriptors of this binary, then in the target's reflection, then in its directory.
///
/// # Errors
/// `Unimplemented` if a complete source does not list the method; bad usage if the method's name is missing; the status
/// of a target that cannot be asked.
pub(super) async fn find(
    client: &Client,
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
    let reflection = match reflection::describe(client, metadata, method.service()).await {
        Ok(pool) => match pool.get_service_by_name(method.service()) {
            Some(service) => return Ok(described(&reflected(&service, method)?)),
            None => Status::not_found("the answer lacks the service"),
        },
        Err(status) if client.is_final(&status) => return Err(status.into()),
        Err(status) => status,
    };
    debug!(method = method.path(), status = %reflection, "no schema from reflection");
    let directory = match directory::list(client, metadata).await {
        Ok(services) => return Ok((listed(&services, method)?, None)),
        Err(status) if client.is_final(&status) => return Err(status.into()),
        Err(status) => status,
    };
    debug!(method = method.path(), status = %directory, "no shape from the directory");
    Ok((undescribed(client, metadata, method, reflection, &directory).await?, None))
}

/// The schema of a method that no source describes: plain fields at a peer of ours, otherwise an error.
async fn undescribed(
    client: &Client,
    metadata: &Metadata,
    method: &MethodName,
    reflection: Status,
    directory: &Status,
) -> Result<Schema, Failure> {
    let service = method.service();
    // Peers on our framing read MessagePack by field names; gRPC servers in general do not.
    if client.transport() != GRPC {
        return Ok(Schema::plain());
    }
    // A node tells its shapes to operators alone. It may serve the method to this caller all the same.
    let is_denied = lookup::is_denied(directory);
    if reflection.code() == Code::NotFound {
        let known = reflected_services(client, metadata).await;
        return match is_denied && known.iter().any(|known| known.service == method.service()) {
            true => Ok(Schema::plain()),
            false => Err(unknown_service(method, "the target's reflection knows", &known)),
        };
    }
    if is_denied && lookup::is_denied(&reflection) {
        return Ok(Schema::plain());
    }
    let message = format!(
        "unknown messages of {service}: this binary has no descriptor of it, the target's reflection answers \
         {reflection}, its directory {directory}"
    );
    Err(reflection.with_message(message).into())
}

/// The services that the target's reflection lists; none without a list.
async fn reflected_services(client: &Client, metadata: &Metadata) -> Vec<Known> {
    let Ok((names, pool)) = reflection::services(client, metadata).await else { return Vec::new() };
    let described = |name: String| match pool.get_service_by_name(&name) {
        Some(service) => known(&service),
        None => Known { service: name, methods: Vec::new() },
    };
    names.into_iter().map(described).collect()
}

/// Whether the method is idempotent according to the target's directory.
pub(super) async fn is_idempotent(client: &Client, metadata: &Metadata, method: &MethodName) -> bool {
    let services = directory::list(client, metadata).await.unwrap_or_default();
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

    /// A method by Rust field names, of an unknown shape.
    fn plain() -> Self {
        Self { form: Form::Plain, shape: None, idempotent: false }
    }

    /// The same, with what the table of the method at this end tells beyond it.
    pub(super) fn or_of(self, own: Option<&Method>) -> Self {
        let Some(own) = own else { return self };
        let fields = own.message_types().and_then(|[request, _]| request.fields());
        Self {
            form: fields.map_or(self.form, Form::Named),
            shape: self.shape.or(Some(own.shape())),
            idempotent: self.idempotent || (self.shape.is_none() && own.is_idempotent()),
        }
    }
}

/// Whether the method's options declare it idempotent.
pub(super) fn is_repeatable(method: &MethodDescriptor) -> bool {
    let options = method.method_descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.idempotency_level() != IdempotencyLevel::IdempotencyUnknown)
}

/// The descriptors of this binary, without sets that contradict earlier ones.
fn compiled_in(sets: &[Bytes]) -> DescriptorPool {
    let mut pool = DescriptorPool::new();
    for set in sets {
        if let Err(error) = pool.decode_file_descriptor_set(set.clone()) {
            debug!(%error, "ignoring a descriptor set of this binary");
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

/// The error for a service without a method.
fn without_method(service: &Known) -> Failure {
    let Known { service, methods } = service;
    let paths = suggest::paths(service, methods);
    Failure::usage(format!("missing method of {service}; expected one of {paths}"))
}

/// The error for an unknown service; `source` introduces the known ones.
fn unknown_service(method: &MethodName, source: &str, known: &[Known]) -> Failure {
    let bare = known.iter().find(|known| Some(&*known.service) == method.bare_service());
    if let Some(service) = bare {
        return without_method(service);
    }
    let names: Vec<_> = known.iter().map(|known| known.service.as_str()).collect();
    not_served(method, source, &names, known).into()
}

/// The error for an unknown method of a known service.
fn unknown_method(method: &MethodName, service: Known) -> Failure {
    let service = [service];
    let names: Vec<_> = service[0].methods.iter().map(String::as_str).collect();
    not_served(method, &format!("{} has", method.service()), &names, &service).into()
}

fn not_served(method: &MethodName, source: &str, names: &[&str], known: &[Known]) -> Status {
    let path = method.path();
    let meant = suggest::meant(method.service(), method.name(), known)
        .map(|meant| format!("did you mean `{meant}`? "));
    let (meant, names) = (meant.unwrap_or_default(), names.join(", "));
    Status::unimplemented(format!("no method {path} is served here; {meant}{source} {names}")).not_processed()
}
