/** Whoever plays the host: vbench in a component, `testing` in a test. */
export const host = {
  current: new Proxy(
    {},
    {
      get() {
        throw new Error("there is no host here; in tests use vbench-plugin/testing");
      },
    },
  ),
};
