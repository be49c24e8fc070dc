/** A pair of pipes to the other side, whatever they are made of: ssh's stdio, sockets, memory in tests. */
export type Channel = {
  /**
   * What comes next, in chunks of any size; undefined when nothing more will. A failed pipe throws `io`. The chunk is the
   * caller's until the next call: then it may be used for what comes.
   */
  read(): Promise<Uint8Array | undefined>;
  /**
   * Sends the pieces one after the other; calls are sent in the order in which they are made. Resolves when they have
   * been taken: until then they must not change. Throws `io` when nobody will read it, also while it waits.
   */
  write(pieces: readonly Uint8Array[]): Promise<void>;
  /** Lets go of both directions: whatever waits ends. What was written before still arrives, as far as it can. */
  close(): void;
};
