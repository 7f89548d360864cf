//! The three shapes with streams. `Streaming<T>` is the one type for them, in both directions and at both ends.

use std::error::Error;

use polywire::{Status, Streaming};

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Number {
    #[prost(int64, tag = "1")]
    pub value: i64,
}

#[polywire::service(package = "math.v1")]
pub trait Math {
    /// Server streaming: one request, any number of responses.
    async fn count_down(&self, from: Number) -> Result<Streaming<Number>, Status>;
    /// Client streaming: any number of requests, one response.
    async fn sum(&self, numbers: Streaming<Number>) -> Result<Number, Status>;
    /// Bidirectional: both directions flow at once, and each ends by itself.
    async fn square(&self, numbers: Streaming<Number>) -> Result<Streaming<Number>, Status>;
}

struct Calculator;

impl Math for Calculator {
    async fn count_down(&self, from: Number) -> Result<Streaming<Number>, Status> {
        // From an iterator. From a `futures::Stream` of results it is `Streaming::new`.
        Ok(Streaming::from_iter((1..=from.value).rev().map(number)))
    }

    async fn sum(&self, mut numbers: Streaming<Number>) -> Result<Number, Status> {
        let mut sum = 0;
        while let Some(next) = numbers.message().await? {
            sum += next.value;
        }
        Ok(number(sum))
    }

    async fn square(&self, mut numbers: Streaming<Number>) -> Result<Streaming<Number>, Status> {
        // At most 16 responses wait for the caller to read them: backpressure reaches this loop.
        let (responses, stream) = Streaming::channel(16);
        tokio::spawn(async move {
            while let Some(next) = numbers.message().await.transpose() {
                let square = next.map(|next| number(next.value * next.value));
                // Nothing reads the responses any more: the call was cancelled.
                if responses.send(square).await.is_err() {
                    break;
                }
            }
        });
        Ok(stream)
    }
}

fn number(value: i64) -> Number {
    Number { value }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = MathClient::new(polywire_examples::over_grpc(MathServer::new(Calculator)).await?);

    let mut numbers = client.count_down(number(3)).await?;
    while let Some(next) = numbers.message().await? {
        println!("count down: {}", next.value);
    }

    let sum = client.sum(Streaming::from_iter((1..=100).map(number))).await?;
    println!("sum: {}", sum.value);

    // The next request is sent when the response to the one before is there.
    let (requests, stream) = Streaming::channel(1);
    let mut squares = client.square(stream).await?;
    for value in [2, 3, 4] {
        requests.send(Ok(number(value))).await?;
        let square = squares.message().await?.ok_or("the stream ended early")?;
        println!("square of {value}: {}", square.value);
    }
    drop(requests); // ends the requests, and with them the responses
    println!("after the end: {:?}", squares.message().await?);
    Ok(())
}
