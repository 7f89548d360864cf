// Statuses and metadata with spaces at their ends, by grpc-js, against a server at an address.
"use strict";

const assert = require("node:assert/strict");
const { after, test } = require("node:test");

const grpc = require("@grpc/grpc-js");

const client = new grpc.Client(process.env.POLYWIRE_SHOP_ADDRESS, grpc.credentials.createInsecure());
after(() => client.close());

// A message whose field 1 is this string, in protobuf.
const message = (text) => Buffer.concat([Buffer.from([0x0a, Buffer.byteLength(text)]), Buffer.from(text)]);

function get(name, metadata = new grpc.Metadata()) {
  const bytes = (value) => value;
  const deadline = Date.now() + 30_000;
  return new Promise((resolve) => {
    let initial;
    const path = "/inventory.v1.Inventory/Get";
    const call = client.makeUnaryRequest(path, bytes, bytes, message(name), metadata, { deadline }, (error) =>
      resolve({ error, initial }),
    );
    call.on("metadata", (received) => (initial = received));
  });
}

test("a message arrives with the spaces at its ends", async () => {
  for (const text of ["oops ", "  two  words  ", " ", "\ttab\t", "größer "]) {
    const { error } = await get(`say ${text}`);
    assert.equal(error.code, grpc.status.ABORTED);
    assert.equal(error.details, text);
  }
});

test("a metadata value comes back without the spaces at its ends", async () => {
  const metadata = new grpc.Metadata();
  metadata.set("tenant", "light blue ");
  const { error, initial } = await get("echo metadata", metadata);
  assert.equal(error, null);
  assert.deepEqual(initial.get("tenant"), ["light blue"]);
});
