import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Many tests wait, for a timer, a child process or an origin that hangs: more of them at once than there are cores.
    maxWorkers: 5,
    projects: [
      {
        test: {
          name: "unit",
          isolate: false,
          include: ["test/**/*.unit.test.ts"],
          environment: "node",
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        plugins: [
          cloudflareTest({
            main: "./test/support/worker.ts",
            miniflare: {
              compatibilityDate: "2026-10-01",
              d1Databases: ["DB"],
              kvNamespaces: ["REVOCATIONS"],
            },
          }),
        ],
        test: {
          name: "worker",
          include: ["test/**/*.worker.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "http",
          isolate: false,
          include: ["test/**/*.http.test.ts"],
          environment: "node",
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
