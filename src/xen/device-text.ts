/** Entries of `disk=` and `vif=` as a person would write them, for a device that is known from Xen. */
import { unsupported } from "../base/failure.ts";
import { parseDiskSpec } from "./disk-spec.ts";
import type { SummaryDisk, SummaryNic } from "./domain-summary.ts";
import { parseVifSpec } from "./vif-spec.ts";

/** `/dev/vg0/data,raw,xvdb,rw`; with keys where that form cannot say it. `unsupported` where no form can. */
export function diskText(disk: SummaryDisk): string {
  const { target, format, vdev, readonly, cdrom, script, backend } = disk;
  const access = readonly ? "ro" : "rw";
  const plain = script === undefined && backend === undefined && !cdrom && !/[,=:]/.test(target);
  const named = [
    `format=${format}`,
    `vdev=${vdev}`,
    `access=${access}`,
    ...(cdrom ? ["devtype=cdrom"] : []),
    ...(script === undefined ? [] : [`script=${script}`]),
    ...(backend === undefined ? [] : [`backend=${backend}`]),
    ...(target === "" ? [] : [`target=${target}`]),
  ];
  const text = plain && target !== "" ? `${target},${format},${vdev},${access}` : named.join(",");
  const read = parseDiskSpec(text);
  if (read.target !== target || read.vdev !== vdev || read.readonly !== readonly)
    throw unsupported([vdev], "a disk that no entry of disk= can describe");
  return text;
}

/** `mac=00:16:3e:00:00:01,bridge=xenbr0`, without what libxl fills in. */
export function nicText(nic: SummaryNic): string {
  const { mac, bridge, ip, model, vifname, gatewaydev, script, backend } = nic;
  const isDefaultScript = script !== undefined && /(?:^|\/)vif-bridge$/.test(script);
  const values = {
    mac,
    bridge,
    ip,
    model,
    vifname,
    gatewaydev,
    script: isDefaultScript ? undefined : script,
    backend: backend === "0" || backend === "Domain-0" ? undefined : backend,
  };
  const text = Object.entries(values)
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]))
    .join(",");
  const read = parseVifSpec(text);
  if (read.mac?.toLowerCase() !== mac || read.bridge !== bridge || read.ip !== ip)
    throw unsupported([mac ?? "vif"], "a network interface that no entry of vif= can describe");
  return text;
}
