use polywire_tests::{
    node::{FREE_PORTS, Node, call, run},
    pki::Pki,
};

const CHECK: &str = "grpc.health.v1.Health/Check";

#[tokio::test]
async fn under_tls_the_target_is_grpcs_and_a_client_must_trust_its_authority() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::new(directory.path());
    let certificate = format!("--transport.grpc.tls_cert={}", pki.certificate.display());
    let key = format!("--transport.grpc.tls_key={}", pki.key.display());
    let node = Node::start(&["--transport.grpc.tls_enabled=true", &certificate, &key]).await;
    assert!(node.grpc().starts_with("grpcs://"), "{}", node.grpc());

    let trusting = call(&["--ca", pki.authority.to_str().unwrap(), node.grpc(), CHECK]).await;
    assert_eq!(
        (trusting.code, trusting.stdout.trim_end()),
        (0, r#"{"status":"SERVING"}"#),
        "{}",
        trusting.stderr
    );
    let distrusting = call(&[node.grpc(), CHECK]).await;
    assert_eq!((distrusting.code, distrusting.stdout.as_str()), (64 + 14, ""), "{}", distrusting.stderr);
    let plaintext = call(&["--timeout", "20s", &node.grpc().replace("grpcs://", "grpc://"), CHECK]).await;
    // However much of the TLS alert could be read as HTTP/2.
    assert_eq!((plaintext.code, plaintext.stdout.as_str()), (64 + 14, ""), "{}", plaintext.stderr);
    assert_eq!(node.terminate().await.code, Some(0));
}

#[tokio::test]
async fn a_certificate_that_is_none_is_an_error_that_names_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::new(directory.path());
    std::fs::write(&pki.certificate, "no certificate").unwrap();
    let certificate = format!("--transport.grpc.tls_cert={}", pki.certificate.display());
    let key = format!("--transport.grpc.tls_key={}", pki.key.display());
    let flags = [
        "serve",
        "--json",
        FREE_PORTS[0],
        FREE_PORTS[1],
        "--transport.grpc.tls_enabled=true",
        &certificate,
        &key,
    ];
    let refused = run(directory.path(), &flags).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("cert.pem"), "{}", refused.stderr);
    let half = run(directory.path(), &["serve", "--json", "--transport.grpc.tls_enabled=true", &key]).await;
    assert_eq!(half.code, 1);
    assert!(half.stderr.contains("tls_cert"), "{}", half.stderr);
}
