//! Errors: a code, a message, details of a type of one's own, and whether the call may be made again.

use std::error::Error;

use polywire::{Code, Status};
use prost::Message as _;

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Transfer {
    #[prost(uint64, tag = "1")]
    pub cents: u64,
}

/// The details of a failure: what a program can act on. Any message is one.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Shortfall {
    #[prost(uint64, tag = "1")]
    pub missing_cents: u64,
}

/// The service's own error.
#[derive(Debug)]
pub enum BankError {
    NothingToTransfer,
    Insufficient {
        missing: u64,
    },
    /// A failure of the transport, or of the server: what a client needs for `impl Bank for BankClient`.
    Other(Status),
}

impl From<BankError> for Status {
    fn from(error: BankError) -> Self {
        match error {
            BankError::NothingToTransfer => Self::invalid_argument("cents: expected more than 0"),
            BankError::Insufficient { missing } => Self::failed_precondition("the balance is too small")
                .with_details(Shortfall { missing_cents: missing }.encode_to_vec()),
            BankError::Other(status) => status,
        }
    }
}

impl From<Status> for BankError {
    fn from(status: Status) -> Self {
        match (status.code(), Shortfall::decode(status.details().clone())) {
            (Code::FailedPrecondition, Ok(details)) => Self::Insufficient { missing: details.missing_cents },
            _ => Self::Other(status),
        }
    }
}

#[polywire::service(package = "bank.v1")]
pub trait Bank {
    async fn transfer(&self, request: Transfer) -> Result<Transfer, BankError>;
}

struct Account {
    balance: u64,
}

impl Bank for Account {
    async fn transfer(&self, request: Transfer) -> Result<Transfer, BankError> {
        match request.cents {
            0 => Err(BankError::NothingToTransfer),
            cents if cents > self.balance => Err(BankError::Insufficient { missing: cents - self.balance }),
            _ => Ok(request),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let channel = polywire_examples::over_grpc(BankServer::new(Account { balance: 1000 })).await?;
    let client = BankClient::new(channel);

    // A call ends with a `Status`: one of gRPC's 17 codes, on every transport.
    let status = client.transfer(Transfer { cents: 0 }).await.unwrap_err();
    println!("{status}");

    // Its details survive the way as they are.
    let status = client.transfer(Transfer { cents: 1250 }).await.unwrap_err();
    let details = Shortfall::decode(status.details().clone())?;
    println!("{status}, {} cents are missing", details.missing_cents);

    // Through the trait, a client fails with the service's own error again.
    match Bank::transfer(&client, Transfer { cents: 1001 }).await {
        Err(BankError::Insufficient { missing }) => println!("missing: {missing}"),
        other => println!("unexpected: {other:?}"),
    }

    // Whether a handler may have seen the call is part of the status; if none has, it can be made again.
    let nowhere = polywire::Channel::builder().target("grpc://127.0.0.1:1").connect().await?;
    let status = BankClient::new(nowhere).transfer(Transfer { cents: 1 }).await.unwrap_err();
    println!("{}, not processed: {}", status.code(), status.is_not_processed());
    Ok(())
}
