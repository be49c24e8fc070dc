/** What a `root=` argument names. */
export type RootSpec =
  | {
      readonly kind: "uuid" | "label" | "partuuid" | "partlabel" | "path";
      readonly value: string;
      readonly text: string;
    }
  | { readonly kind: "nfs" | "other"; readonly value: string; readonly text: string };

export type RootDevice = {
  readonly spec: RootSpec;
  /** Where it was found, or undefined when nothing on the guest's disks answers to it. */
  readonly where?: readonly string[];
  readonly format?: string;
  /** Whether everything that could answer was read; when false, an absence proves nothing. */
  readonly complete: boolean;
};
