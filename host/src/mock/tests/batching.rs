//! The batch limit.

use super::*;
use crate::mock::log::Outcome;

#[test]
fn requests_enter_the_batch_in_order_of_arrival() {
    let config = MockConfig {
        ttft: Delay::constant(20.0),
        itl: Delay::constant(1.0),
        max_batch: Some(1.try_into().unwrap()),
        ..MockConfig::default()
    };
    let server = start(config);
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(&server)).collect();
    let mut heads = Vec::new();
    for (i, client) in clients.iter_mut().enumerate() {
        client.send(stream_of(&i.to_string(), 4));
        // The head comes as soon as the request has its place in the queue.
        heads.push(client.head());
    }
    for (client, (status, head)) in clients.iter_mut().zip(heads) {
        assert!(client.rest(status, head).whole);
    }
    let log = server.shutdown().unwrap().log;
    let ids: Vec<&str> = log.iter().filter_map(|request| request.id.as_deref()).collect();
    assert_eq!(ids, ["0", "1", "2", "3"]);
    for pair in log.windows(2) {
        assert_eq!(pair[1].admitted_ns, pair[0].due_ns[3].max(pair[1].t_received_ns));
        assert_eq!(pair[1].due_ns[0], pair[1].admitted_ns + 20_000_000);
        assert_eq!(pair[1].due_ns[3], pair[1].due_ns[0] + 3_000_000);
    }
}

#[test]
fn clients_that_leave_give_up_their_place() {
    let config = MockConfig {
        ttft: "3600000".parse().unwrap(),
        max_batch: Some(1.try_into().unwrap()),
        ..MockConfig::default()
    };
    let server = start(config);
    let mut observer = Client::connect(&server);
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(&server)).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        client.send(stream_of(&i.to_string(), 4));
        client.head();
    }
    assert_eq!(metric(&mut observer, "num_requests_running"), 1);
    assert_eq!(metric(&mut observer, "num_requests_waiting"), 2);
    assert_eq!(metric(&mut observer, "prompt_tokens_total"), 3);
    drop(clients.remove(1));
    while metric(&mut observer, "num_requests_waiting") != 1 {}
    drop(clients.remove(0));
    while metric(&mut observer, "num_requests_waiting") != 0 {}
    assert_eq!(metric(&mut observer, "num_requests_running"), 1);
    assert_eq!(metric(&mut observer, "prompt_tokens_total"), 6);
    let report = server.shutdown().unwrap();
    let log: Vec<_> = report.log.iter().filter(|request| request.stream).collect();
    let ends: Vec<_> = log.iter().map(|r| (r.id.as_deref().unwrap_or_default(), r.outcome)).collect();
    assert_eq!(ends, [("1", Outcome::Disconnected), ("0", Outcome::Disconnected), ("2", Outcome::Stopped)]);
    assert_eq!(log[0].admitted_ns, 0);
    assert_eq!(log[2].admitted_ns, log[1].end_ns);
    assert_eq!((report.disconnected, report.events), (2, 0));
}
