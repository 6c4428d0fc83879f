// Who am I, by the AWS SDK for JavaScript v2. usage: whoami.mjs
//
// Prints one line of JSON, and one more, asked by the same client, for each line on standard input.

import { createInterface } from "node:readline";
import AWS from "aws-sdk";

// By the whole package: a client alone does not bring the web identity of the default chain.
const sts = new AWS.STS({});

async function use() {
  const started = performance.now();
  let line;
  try {
    line = { arn: (await sts.getCallerIdentity().promise()).Arn };
  } catch (error) {
    const { name, code, statusCode: status, message } = error;
    line = { error: { class: name, code, status, message } };
  }
  line.ms = Math.round(performance.now() - started);
  console.log(JSON.stringify(line));
}

await use();
for await (const _ of createInterface({ input: process.stdin })) {
  await use();
}
