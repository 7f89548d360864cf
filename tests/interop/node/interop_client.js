// The gRPC project's interoperability cases, by grpc-js, against a server at an address.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { PerformanceObserver } = require("node:perf_hooks");
const { after, test } = require("node:test");

const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const ADDRESS = process.env.POLYWIRE_INTEROP_ADDRESS;
// The authority to trust under TLS; plaintext without.
const AUTHORITY = process.env.POLYWIRE_INTEROP_CA;
const PATIENCE_MS = 30_000;

const INITIAL = "x-grpc-test-echo-initial";
const TRAILING = "x-grpc-test-echo-trailing-bin";
const REQUEST_SIZES = [27182, 8, 1828, 45904];
const RESPONSE_SIZES = [31415, 9, 2653, 58979];
const LARGE_REQUEST = 271828;
const LARGE_RESPONSE = 314159;

const proto = loader.loadSync("interop/test.proto", {
  includeDirs: [path.join(__dirname, "../proto")],
  keepCase: true,
});
const { TestService, UnimplementedService } = grpc.loadPackageDefinition(proto).grpc.testing;
const credentials = AUTHORITY
  ? grpc.credentials.createSsl(fs.readFileSync(AUTHORITY))
  : grpc.credentials.createInsecure();
const client = new TestService(ADDRESS, credentials);
const unimplemented = new UnimplementedService(ADDRESS, credentials);
after(() => {
  client.close();
  unimplemented.close();
});

const zeros = (size) => ({ body: Buffer.alloc(size) });
const answers = (...sizes) => sizes.map((size) => ({ size }));
const largeRequest = (fields) => ({ response_size: LARGE_RESPONSE, payload: zeros(LARGE_REQUEST), ...fields });
const patient = () => ({ deadline: Date.now() + PATIENCE_MS });

function assertZeros(size, payload) {
  assert.equal(payload.body.length, size);
  assert.ok(payload.body.equals(Buffer.alloc(size)), "zeros");
}

// One answer, the metadata before it and that behind it.
function unary(stub, method, request, metadata = new grpc.Metadata()) {
  return new Promise((resolve, reject) => {
    const seen = {};
    const call = stub[method](request, metadata, patient(), (error, response) => {
      if (error) reject(error);
      else seen.response = response;
    });
    call.on("metadata", (initial) => (seen.initial = initial));
    call.on("status", ({ code, metadata: trailing }) => code === grpc.status.OK && resolve({ ...seen, trailing }));
  });
}

// Every answer, the metadata before them and that behind them.
function collect(call) {
  return new Promise((resolve, reject) => {
    const seen = { responses: [] };
    call.on("metadata", (initial) => (seen.initial = initial));
    call.on("data", (response) => seen.responses.push(response));
    call.on("error", reject);
    call.on("status", ({ code, metadata: trailing }) => code === grpc.status.OK && resolve({ ...seen, trailing }));
  });
}

// The next answer; undefined at the end.
const next = (call) =>
  new Promise((resolve, reject) => {
    call.once("data", resolve);
    call.once("end", resolve);
    call.once("error", reject);
  });

const sizes = (responses) => responses.map(({ payload }) => payload.body.length);

test("empty_unary", async () => {
  assert.deepEqual((await unary(client, "EmptyCall", {})).response, {});
});

test("large_unary", async () => {
  const { response } = await unary(client, "UnaryCall", largeRequest());
  assertZeros(LARGE_RESPONSE, response.payload);
});

test("cacheable_unary", async () => {
  const payload = { body: Buffer.from(String(process.hrtime.bigint())) };
  const { response, initial } = await unary(client, "CacheableUnaryCall", { payload });
  assert.match(response.payload.body.toString(), /^\d+$/);
  assert.match(initial.get("cache-control")[0], /max-age=60/);
});

test("client_streaming", async () => {
  const response = await new Promise((resolve, reject) => {
    const done = (error, response) => (error ? reject(error) : resolve(response));
    const call = client.StreamingInputCall(new grpc.Metadata(), patient(), done);
    for (const size of REQUEST_SIZES) call.write({ payload: zeros(size) });
    call.end();
  });
  assert.equal(response.aggregated_payload_size, 74922);
});

test("server_streaming", async () => {
  const request = { response_parameters: answers(...RESPONSE_SIZES) };
  const { responses } = await collect(client.StreamingOutputCall(request, patient()));
  assert.deepEqual(sizes(responses), RESPONSE_SIZES);
});

test("ping_pong", async () => {
  const call = client.FullDuplexCall(patient());
  for (const [index, size] of REQUEST_SIZES.entries()) {
    const answer = next(call);
    call.write({ response_parameters: answers(RESPONSE_SIZES[index]), payload: zeros(size) });
    assertZeros(RESPONSE_SIZES[index], (await answer).payload);
  }
  const last = next(call);
  call.end();
  assert.equal(await last, undefined);
});

test("half_duplex", async () => {
  const call = client.HalfDuplexCall(patient());
  const collected = collect(call);
  for (const [index, size] of REQUEST_SIZES.entries()) {
    call.write({ response_parameters: answers(RESPONSE_SIZES[index]), payload: zeros(size) });
  }
  call.end();
  assert.deepEqual(sizes((await collected).responses), RESPONSE_SIZES);
});

test("empty_stream", async () => {
  const call = client.FullDuplexCall(patient());
  const collected = collect(call);
  call.end();
  assert.deepEqual((await collected).responses, []);
});

test("timeout_on_sleeping_server", async () => {
  const call = client.FullDuplexCall({ deadline: Date.now() + 1 });
  call.write({ payload: zeros(REQUEST_SIZES[0]) });
  await assert.rejects(collect(call), { code: grpc.status.DEADLINE_EXCEEDED });
});

test("cancel_after_begin", async () => {
  const outcome = new Promise((resolve) => {
    // Once it is under way: a call that grpc-js cancels before keeps the process until its deadline.
    const call = client.StreamingInputCall(new grpc.Metadata(), patient(), resolve);
    setImmediate(() => call.cancel());
  });
  assert.equal((await outcome).code, grpc.status.CANCELLED);
});

test("cancel_after_first_response", async () => {
  const call = client.FullDuplexCall(patient());
  const answer = next(call);
  call.write({ response_parameters: answers(RESPONSE_SIZES[0]), payload: zeros(REQUEST_SIZES[0]) });
  assertZeros(RESPONSE_SIZES[0], (await answer).payload);
  const rest = collect(call);
  call.cancel();
  await assert.rejects(rest, { code: grpc.status.CANCELLED });
});

test("status_code_and_message", async () => {
  const response_status = { code: 2, message: "test status message" };
  const expected = { code: 2, details: response_status.message };
  await assert.rejects(unary(client, "UnaryCall", { response_status }), expected);
  const call = client.FullDuplexCall(patient());
  const collected = collect(call);
  call.end({ response_status });
  await assert.rejects(collected, expected);
});

test("special_status_message", async () => {
  const message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
  const failing = unary(client, "UnaryCall", { response_status: { code: 2, message } });
  await assert.rejects(failing, { code: 2, details: message });
});

test("unimplemented_method", async () => {
  await assert.rejects(unary(client, "UnimplementedCall", {}), { code: grpc.status.UNIMPLEMENTED });
});

test("unimplemented_service", async () => {
  await assert.rejects(unary(unimplemented, "UnimplementedCall", {}), { code: grpc.status.UNIMPLEMENTED });
});

test("custom_metadata", async () => {
  const trailingValue = Buffer.from([0xab, 0xab, 0xab]);
  const metadata = () => {
    const metadata = new grpc.Metadata();
    metadata.set(INITIAL, "test_initial_metadata_value");
    metadata.set(TRAILING, trailingValue);
    return metadata;
  };
  const call = client.FullDuplexCall(metadata(), patient());
  const collected = collect(call);
  call.end({ response_parameters: answers(LARGE_RESPONSE), payload: zeros(LARGE_REQUEST) });
  for (const seen of [await unary(client, "UnaryCall", largeRequest(), metadata()), await collected]) {
    assert.deepEqual(seen.initial.get(INITIAL), ["test_initial_metadata_value"]);
    assert.deepEqual(seen.trailing.get(TRAILING), [trailingValue]);
  }
});

// The flag of a message that stays plain, WriteFlags.NoCompress, which grpc-js does not export.
const NO_COMPRESS = 2;

// A client that compresses what is written without that flag.
function compressing(t) {
  const gzip = { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip };
  const compressing = new TestService(ADDRESS, credentials, gzip);
  t.after(() => compressing.close());
  return compressing;
}

test("client_compressed_unary", async (t) => {
  const claims = (value) => largeRequest({ expect_compressed: { value } });
  await assert.rejects(unary(client, "UnaryCall", claims(true)), { code: grpc.status.INVALID_ARGUMENT });
  for (const [stub, value] of [[compressing(t), true], [client, false]]) {
    assertZeros(LARGE_RESPONSE, (await unary(stub, "UnaryCall", claims(value))).response.payload);
  }
});

// What a call comes to, and how many bytes of HTTP/2 data its answers took. grpc-js takes grpc-encoding out of the
// metadata and does not say which messages came compressed; node counts what each stream of HTTP/2 reads.
async function weighed(call) {
  let observer;
  const bytes = new Promise((resolve) => {
    observer = new PerformanceObserver((list) => {
      const streams = list.getEntries().filter(({ name }) => name === "Http2Stream");
      // Streams that were cancelled before may end only now; they have read next to nothing.
      const read = streams.map(({ detail }) => detail.bytesRead).find((bytes) => bytes > 0);
      if (read !== undefined) resolve(read);
    });
    observer.observe({ entryTypes: ["http2"] });
  });
  try {
    return { ...(await call()), bytes: await bytes };
  } finally {
    observer.disconnect();
  }
}

test("server_compressed_unary", async () => {
  for (const value of [true, false]) {
    const request = largeRequest({ response_compressed: { value } });
    const { response, bytes } = await weighed(() => unary(client, "UnaryCall", request));
    assertZeros(LARGE_RESPONSE, response.payload);
    assert.equal(bytes < LARGE_RESPONSE / 10, value, `${bytes} bytes`);
  }
});

test("client_compressed_streaming", async (t) => {
  const claims = (size, value) => ({ payload: zeros(size), expect_compressed: { value } });
  const send = (stub, write) =>
    new Promise((resolve, reject) => {
      const done = (error, response) => (error ? reject(error) : resolve(response));
      const call = stub.StreamingInputCall(new grpc.Metadata(), patient(), done);
      write(call);
      call.end();
    });
  const probe = send(client, (call) => call.write(claims(27182, true)));
  await assert.rejects(probe, { code: grpc.status.INVALID_ARGUMENT });
  const response = await send(compressing(t), (call) => {
    call.write(claims(27182, true));
    call.write(claims(45904, false), NO_COMPRESS);
  });
  assert.equal(response.aggregated_payload_size, 73086);
});

test("server_compressed_streaming", async () => {
  const asked = [
    { size: 31415, compressed: { value: true } },
    { size: 92653, compressed: { value: false } },
  ];
  const call = () => collect(client.StreamingOutputCall({ response_parameters: asked }, patient()));
  const { responses, bytes } = await weighed(call);
  assert.deepEqual(sizes(responses), [31415, 92653]);
  // The first at least: some servers compress all answers of a call or none.
  assert.ok(bytes < 92653 + 3142, `${bytes} bytes`);
});
