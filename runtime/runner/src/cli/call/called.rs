//! What `call` calls: a token that carries where to call takes the place of the target.

use std::str::FromStr;

use polywire_core::Target;

use super::{
    super::{access::TokenArg, failure::Failure},
    MethodName,
};

/// The first argument of `call`: the target, or the method if a token carries the target.
#[derive(Clone, Debug)]
pub(in crate::cli) enum CallTarget {
    Target(Target),
    Method(MethodName),
}

impl FromStr for CallTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self::Target).or_else(|error: polywire_core::TargetError| match text.parse() {
            Ok(method) if !text.contains(':') => Ok(Self::Method(method)),
            _ => Err(error.to_string()),
        })
    }
}

/// The second argument of `call`: the method, or the request behind a method.
#[derive(Clone, Debug)]
pub(in crate::cli) struct CallMethod(String);

impl FromStr for CallMethod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with(['{', '[', '"', '-']) {
            text.parse::<MethodName>()?;
        }
        Ok(Self(text.to_owned()))
    }
}

/// What is called, and with what.
pub(super) struct Called {
    /// The targets, the first preferred.
    pub(super) targets: Vec<Target>,
    pub(super) method: MethodName,
    pub(super) json: Option<String>,
}

impl Called {
    /// # Errors
    /// If there is no target, no method, or one argument too many.
    pub(super) fn of(
        target: CallTarget,
        second: Option<CallMethod>,
        json: Option<String>,
        token: Option<&TokenArg>,
    ) -> Result<Self, Failure> {
        match target {
            CallTarget::Target(target) => {
                let method = second
                    .ok_or_else(|| Failure::usage("missing method; expected PACKAGE.SERVICE/METHOD"))?;
                let method = method.0.parse().map_err(Failure::usage)?;
                Ok(Self { targets: vec![target], method, json })
            }
            CallTarget::Method(method) => {
                let token = token.ok_or_else(|| Failure::usage(format!("missing target before {method}")))?;
                if let Some(extra) = json {
                    return Err(Failure::usage(format!("unexpected argument {extra:?} behind the request")));
                }
                Ok(Self { targets: token.targets()?, method, json: second.map(|request| request.0) })
            }
        }
    }
}

#[cfg(test)]
#[cfg(feature = "grpc")]
mod tests {
    use std::time::{Duration, SystemTime};

    use iroh_base::SecretKey;

    use super::*;
    use crate::tokens::{Invitation, Token};

    fn token(targets: &[&str]) -> TokenArg {
        let invitation = Invitation {
            name: String::new(),
            targets: targets.iter().map(ToString::to_string).collect(),
            methods: vec!["a.v1.A/*".to_owned()],
            expires: SystemTime::now() + Duration::from_secs(60),
            uses: None,
            to: None,
        };
        Token::issue(&SecretKey::generate(), invitation).unwrap().to_string().parse().unwrap()
    }

    fn called(words: &[&str], token: Option<&TokenArg>) -> Result<Called, String> {
        let mut words = words.iter();
        let first = words.next().unwrap().parse()?;
        let second = words.next().map(|word| word.parse()).transpose()?;
        let json = words.next().map(ToString::to_string);
        Called::of(first, second, json, token).map_err(|failure| failure.lines().join("\n"))
    }

    #[test]
    fn a_token_that_carries_targets_takes_the_place_of_the_target() {
        let token = token(&["pigeon://loft", "grpc://127.0.0.1:2"]);
        let with = called(&["a.v1.A/Get", "{\"a\":1}"], Some(&token)).unwrap();
        assert_eq!(with.targets.iter().map(ToString::to_string).collect::<Vec<_>>(), ["grpc://127.0.0.1:2"]);
        assert_eq!((with.method.path(), with.json.as_deref()), ("/a.v1.A/Get", Some("{\"a\":1}")));
        let named = called(&["grpc://127.0.0.1:1", "a.v1.A/Get", "-"], Some(&token)).unwrap();
        assert_eq!(named.targets[0].to_string(), "grpc://127.0.0.1:1");
        assert_eq!((named.method.path(), named.json.as_deref()), ("/a.v1.A/Get", Some("-")));
    }

    #[test]
    fn what_is_missing_is_said() {
        let (none, some) = (token(&[]), token(&["grpc://127.0.0.1:1"]));
        for (words, token, problem) in [
            (["a.v1.A/Get", "a.v1.A/Get"].as_slice(), None, "missing target"),
            (&["a.v1.A/Get"], Some(&none), "carries no target"),
            (&["grpc://127.0.0.1:1"], Some(&some), "missing method"),
            (&["grpc://127.0.0.1:1", "Get"], Some(&some), "PACKAGE.SERVICE/METHOD"),
            (&["a.v1.A/Get", "{}", "{}"], Some(&some), "unexpected argument"),
        ] {
            let said = called(words, token).err().unwrap();
            assert!(said.contains(problem), "{words:?}: {said}");
        }
    }
}
