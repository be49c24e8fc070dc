/*
 * Runs Xen's own domain builder (libxenguest) on a kernel, without Xen, and says what it makes of it.
 *
 *   builder pv|pvh CAPS KERNEL [MEMORY_MIB [RAMDISK]]
 *
 * Its log goes to stderr; stdout gets one line: "ok LOADER GUEST_TYPE" or "refused". With MEMORY_MIB the image is also
 * laid out in a guest of that size, in memory of this process instead of a domain's.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenctrl.h>
#include <xenguest.h>

/* From tools/libs/guest/xg_private.h: the name is the first member of the loader. */
struct loader { const char *name; };

/* The dynamic linker prefers these to the libraries' own: what they do needs a hypervisor, what they return does not. */
int xc_clear_domain_pages(xc_interface *xch, uint32_t domid, unsigned long first, int count)
{
    return 0;
}

int xc_domain_populate_physmap_exact(xc_interface *xch, uint32_t domid, unsigned long nr_extents,
                                     unsigned int extent_order, unsigned int mem_flags,
                                     xen_pfn_t *extent_start)
{
    return 0;
}

int xc_hvm_param_set(xc_interface *xch, uint32_t domid, uint32_t param, uint64_t value)
{
    return 0;
}

void *xc_map_foreign_range(xc_interface *xch, uint32_t domid, int size, int prot, unsigned long mfn)
{
    void *pages = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

static bool lay_out(struct xc_dom_image *dom, unsigned int mib, const char *ramdisk)
{
    xen_pfn_t pfn;

    if ( ramdisk && xc_dom_module_file(dom, ramdisk, NULL) )
        return false;
    if ( xc_dom_mem_init(dom, mib) )
        return false;
    dom->p2m_size = dom->total_pages;
    dom->pv_p2m = xc_dom_malloc(dom, sizeof(*dom->pv_p2m) * dom->p2m_size);
    if ( !dom->pv_p2m )
        return false;
    for ( pfn = 0; pfn < dom->p2m_size; pfn++ )
        dom->pv_p2m[pfn] = pfn;
    return !xc_dom_build_image(dom);
}

int main(int argc, char **argv)
{
    xentoollog_logger *logger =
        (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_DETAIL, 0);
    xc_interface *xch = xc_interface_open(logger, logger, XC_OPENFLAG_DUMMY);
    struct xc_dom_image *dom;

    if ( argc < 4 || !xch || !(dom = xc_dom_allocate(xch, "", NULL)) )
        return 2;
    dom->container_type = strcmp(argv[1], "pv") ? XC_DOM_HVM_CONTAINER : XC_DOM_PV_CONTAINER;
    snprintf(dom->xen_caps, sizeof(dom->xen_caps), "%s", argv[2]);

    if ( xc_dom_kernel_file(dom, argv[3]) || xc_dom_parse_image(dom) ||
         (argc > 4 && !lay_out(dom, atoi(argv[4]), argc > 5 ? argv[5] : NULL)) )
        puts("refused");
    else
        printf("ok %s, %s\n", ((struct loader *)dom->kernel_loader)->name, dom->guest_type);
    return 0;
}
