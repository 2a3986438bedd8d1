//! A listener that stops while requests come in: what it took is answered, and what it did not take the client knows to be so and sends elsewhere.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::task::JoinSet;
use tsunagi::tls::{
    Drained,
    client::{ClientError, ClientLimits, HttpsClient},
};

use crate::tls_stage::{CENTRE, PATIENT, Stage, eventually, get, options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_breaks_when_the_listener_stops() {
    for _ in 0..ROUNDS {
        let stage = Stage::open(options(PATIENT)).await;
        let connector = stage.connector(&stage.files.client(CENTRE));
        let gateway = format!("https://localhost:{}", stage.address.port());
        let answered = Arc::new(AtomicUsize::new(0));
        let mut senders = JoinSet::new();
        for sender in 0..SENDERS {
            let (connector, gateway, answered) = (connector.clone(), gateway.clone(), Arc::clone(&answered));
            let open = move || HttpsClient::new(&gateway, connector.clone(), ClientLimits::default()).unwrap();
            senders.spawn(async move {
                let mut client = open();
                loop {
                    match get(&client, "/group").await {
                        Ok(_) => answered.fetch_add(1, Ordering::Relaxed),
                        // Nobody is there any more: the request was not sent.
                        Err(ClientError::Unreachable { .. }) => return,
                        Err(error) => panic!("{error:?}"),
                    };
                    if sender % 2 == 0 {
                        // A connection of its own for every request.
                        client = open();
                    }
                }
            });
        }
        eventually(|| (answered.load(Ordering::Relaxed) > 4 * SENDERS).then_some(())).await;
        assert_eq!(stage.close().await, Drained { cut_off: 0 });
        while let Some(ended) = senders.join_next().await {
            ended.unwrap();
        }
    }
}

const ROUNDS: usize = 10;
const SENDERS: usize = 8;
