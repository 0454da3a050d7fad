import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/**/*.unit.test.ts"], environment: "node" } },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
          }),
        ],
        test: { name: "worker", include: ["test/**/*.worker.test.ts"] },
      },
      { test: { name: "conformance", include: ["test/**/*.http.test.ts"], environment: "node", testTimeout: 60_000 } },
    ],
  },
});
