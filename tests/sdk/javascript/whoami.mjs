// One question to STS with whatever credentials the AWS SDK for JavaScript finds.
//
// usage: whoami.mjs caller-identity | session-token | assume-role ROLE [POLICY]
//        | web-identity ROLE TOKEN_FILE
//
// Prints one line of JSON, and one more, asked by the same client, for each line on standard input:
// an empty one asks the same again, another has the next question's words with tabs between.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import {
  AssumeRoleCommand,
  AssumeRoleWithWebIdentityCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
  STSClient,
} from "@aws-sdk/client-sts";

const RoleSessionName = "whoami";
const sts = new STSClient({});

async function ask([command, RoleArn, more]) {
  switch (command) {
    case "caller-identity":
      return (await sts.send(new GetCallerIdentityCommand({}))).Arn;
    case "assume-role": {
      const answer = await sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName, Policy: more }));
      return answer.AssumedRoleUser.Arn;
    }
    case "web-identity": {
      const WebIdentityToken = readFileSync(more, "ascii");
      const input = { RoleArn, RoleSessionName, WebIdentityToken };
      const answer = await sts.send(new AssumeRoleWithWebIdentityCommand(input));
      return answer.AssumedRoleUser.Arn;
    }
    case "session-token": {
      const answer = await sts.send(new GetSessionTokenCommand({}));
      return answer.Credentials.AccessKeyId.slice(0, 4);
    }
    default:
      throw new Error(`no command ${command}`);
  }
}

function describe(error) {
  return {
    class: error.constructor.name,
    code: error.Code ?? error.name,
    status: error.$metadata?.httpStatusCode,
    message: error.message,
  };
}

async function use(words) {
  const started = performance.now();
  let line;
  try {
    line = { arn: await ask(words) };
  } catch (error) {
    line = { error: describe(error) };
  }
  line.ms = Math.round(performance.now() - started);
  console.log(JSON.stringify(line));
}

let command = process.argv.slice(2);
await use(command);
for await (const line of createInterface({ input: process.stdin })) {
  command = line ? line.split("\t") : command;
  await use(command);
}
