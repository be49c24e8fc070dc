import { defineConfig } from "vitest/config";

/**
 * `unit` is fast and needs nothing but Node. `real` uses mkfs, loop devices, Debian's packages, QEMU. `xen` boots real
 * Xen hosts. `npm test` runs the last one beside the others (tools/test.ts), and not `xen-hvm`: guests that need hardware virtualisation.
 */
export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 60_000 } },
      {
        test: {
          name: "real",
          include: ["test/real/**/*.test.ts"],
          testTimeout: 600_000,
          hookTimeout: 900_000,
          // The machine has few cores and QEMU uses one whole: one file at a time keeps time bounds honest.
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "xen",
          include: ["test/xen/**/*.test.ts"],
          testTimeout: 900_000,
          hookTimeout: 1_800_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "xen-hvm",
          include: ["test/xen-hvm/**/*.test.ts"],
          testTimeout: 3_600_000,
          hookTimeout: 1_800_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
