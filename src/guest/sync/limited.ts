import type { Channel } from "../../sync/channel.ts";
import { limitedChannel } from "../../sync/limited-channel.ts";

/** `channel` at no more than that rate; 0 for no limit. */
export function limited(channel: Channel, bytesPerSecond: number): Channel {
  return bytesPerSecond > 0 ? limitedChannel({ channel, bytesPerSecond }) : channel;
}
