//! What a call looks up first: it is no use of the call's token.

use polywire_core::{Code, Metadata, Status};

use crate::tokens::{Token, bearer};

/// The metadata key of credentials.
const AUTHORIZATION: &str = "authorization";

/// The metadata of a lookup before the call with these metadata: the same, without a token that is good for a number of
/// calls. The token may allow the lookup too, which would count.
pub(super) fn metadata(of_call: &Metadata) -> Metadata {
    let mut metadata = of_call.clone();
    let credentials: Vec<_> = of_call.get_all(AUTHORIZATION).filter(|value| !is_counted(value)).collect();
    metadata.remove(AUTHORIZATION);
    for value in credentials {
        // It was valid before.
        let _ = metadata.append(AUTHORIZATION, value);
    }
    metadata
}

/// Whether the credential is a token that is good for a number of calls.
fn is_counted(credential: &str) -> bool {
    let mut alone = Metadata::new();
    let _ = alone.append(AUTHORIZATION, credential);
    let token = bearer(&alone).and_then(|text| text.parse::<Token>().ok());
    token.is_some_and(|token| token.limits().next().is_some())
}

/// Whether the target refuses to tell this caller.
pub(super) fn is_denied(status: &Status) -> bool {
    matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use iroh_base::SecretKey;

    use super::*;
    use crate::tokens::{Invitation, authorization};

    fn token(uses: Option<u32>) -> String {
        let invitation = Invitation {
            name: String::new(),
            targets: Vec::new(),
            methods: vec!["operator".to_owned()],
            expires: SystemTime::now() + Duration::from_secs(60),
            uses,
            to: None,
        };
        Token::issue(&SecretKey::generate(), invitation).unwrap().to_string()
    }

    #[test]
    fn a_counted_token_is_left_out_and_nothing_else() {
        let (counted, uncounted) = (authorization(&token(Some(1))).1, authorization(&token(None)).1);
        let mut of_call = Metadata::new();
        of_call.append("tenant", "blue").unwrap();
        for value in ["Basic cHd0Xw", &counted, "Bearer eyJ.a.b", &uncounted, "Bearer pwt_malformed"] {
            of_call.append(AUTHORIZATION, value).unwrap();
        }
        let metadata = metadata(&of_call);
        assert_eq!(metadata.get("tenant"), Some("blue"));
        let credentials: Vec<_> = metadata.get_all(AUTHORIZATION).collect();
        assert_eq!(credentials, ["Basic cHd0Xw", "Bearer eyJ.a.b", &uncounted, "Bearer pwt_malformed"]);
    }
}
