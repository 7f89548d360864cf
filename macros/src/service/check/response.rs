use syn::{GenericArgument, Ident, ReturnType, Type};

use super::{
    super::model::{ErrorType, Response},
    message::{arguments, bare, is_message, peel},
};
use crate::errors::Errors;

const EXPECTED: &str =
    "a method returns `Result<Reply, Status>`, where `Reply` is a message or `Streaming<Message>`";

/// The parts of the return type.
pub(super) fn response(
    method: &Ident,
    returns: &ReturnType,
    errors: &mut Errors,
) -> Option<(Response, ErrorType)> {
    let ReturnType::Type(_, ty) = returns else {
        errors.push(method, EXPECTED);
        return None;
    };
    let (reply, error) = match arguments(ty, "Result").as_deref() {
        Some([GenericArgument::Type(reply)]) => (reply, ErrorType::Status),
        Some([GenericArgument::Type(reply), GenericArgument::Type(error)]) => (reply, error_type(error)),
        _ => {
            errors.push(ty, EXPECTED);
            return None;
        }
    };
    let (inner, wrapped) = peel(reply, "Response", errors)?;
    let (message, streaming) = peel(inner, "Streaming", errors)?;
    is_message(message, errors).then(|| (Response { message: message.clone(), streaming, wrapped }, error))
}

fn error_type(ty: &Type) -> ErrorType {
    match bare(ty) {
        Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Status") => {
            ErrorType::Status
        }
        _ => ErrorType::Other(Box::new(ty.clone())),
    }
}
