/*
 * Lets the real xl run `xl create -n` on a machine without Xen: what it asks the hypervisor and xenstore before it
 * parses a config is answered here. Loaded with LD_PRELOAD.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <libxl.h>
#include <xenctrl.h>
#include <xenstore.h>

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild,
                                unsigned open_flags)
{
    xc_interface *(*real)(xentoollog_logger *, xentoollog_logger *, unsigned) =
        dlsym(RTLD_NEXT, "xc_interface_open");
    return real(logger, dombuild, open_flags | XC_OPENFLAG_DUMMY);
}

/* Never looked into while a config is parsed. */
struct xs_handle *xs_open(unsigned long flags) { return calloc(1, 4096); }
void xs_close(struct xs_handle *handle) { free(handle); }

int libxl_get_physinfo(libxl_ctx *ctx, libxl_physinfo *info) { return 0; }
int xc_get_max_cpus(xc_interface *xch) { return 64; }
int xc_get_max_nodes(xc_interface *xch) { return 1; }

int xc_version(xc_interface *xch, int cmd, void *arg)
{
    switch (cmd) {
    case XENVER_version: return (4 << 16) | 17;
    case XENVER_pagesize: return 4096;
    case XENVER_compile_info: memset(arg, 0, sizeof(xen_compile_info_t)); return 0;
    case XENVER_capabilities: strcpy(arg, "xen-3.0-x86_64 "); return 0;
    case XENVER_extraversion: case XENVER_changeset: case XENVER_commandline:
        strcpy(arg, ""); return 0;
    default: return 0;
    }
}
