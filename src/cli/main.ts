#!/usr/bin/env node
/**
 * `npx scopegate …`: the command line, on the same rooms that enforce. Runs under Node 24 as it is, with no build; npx
 * puts the project's own Node first on the path, so an older one on the machine does not matter.
 */
import { scopegate } from "./program.ts";

// Who reads no further ("| head") is no failure, and the answer is still in the exit code.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

process.exitCode = await scopegate(process.argv.slice(2));
