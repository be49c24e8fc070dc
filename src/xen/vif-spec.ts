/** A parsed `vif=` entry (xen: tools/libs/util/libxlu_vif.c, docs/man/xl-network-configuration.5). */
export type VifSpec = {
  readonly text: string;
  readonly type?: "vif" | "ioemu";
  readonly mac?: string;
  readonly bridge?: string;
  readonly gatewaydev?: string;
  readonly ip?: string;
  readonly script?: string;
  readonly backend?: string;
  readonly vifname?: string;
  readonly model?: string;
  readonly rate?: string;
  readonly devid?: number;
  readonly mtu?: number;
  readonly vlan?: string;
  readonly trusted?: boolean;
};
