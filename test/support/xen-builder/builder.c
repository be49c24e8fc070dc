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

#if XEN_MINOR < 15
/* The header that declares these (xc_dom.h) was not installed then; the offsets are those of 4.14 on x86-64. */
struct xc_dom_image;
struct xc_dom_image *xc_dom_allocate(xc_interface *xch, const char *cmdline, const char *features);
int xc_dom_kernel_file(struct xc_dom_image *dom, const char *filename);
int xc_dom_module_file(struct xc_dom_image *dom, const char *filename, const char *cmdline);
int xc_dom_parse_image(struct xc_dom_image *dom);
int xc_dom_mem_init(struct xc_dom_image *dom, unsigned int mem_mb);
int xc_dom_build_image(struct xc_dom_image *dom);
void *xc_dom_malloc(struct xc_dom_image *dom, size_t size);
#define FIELD_OFFSET(field) OFFSET_##field
enum {
    OFFSET_guest_type = 832,
    OFFSET_pv_p2m = 1104,
    OFFSET_total_pages = 1120,
    OFFSET_p2m_size = 1128,
    OFFSET_xen_caps = 1236,
    OFFSET_kernel_loader = 2264,
    OFFSET_container_type = 2336,
};
#else
#include <stddef.h>
#define FIELD_OFFSET(field) offsetof(struct xc_dom_image, field)
#endif
#define FIELD(type, field) (*(type *)((char *)dom + FIELD_OFFSET(field)))

/* From xc_dom.h: XC_DOM_PV_CONTAINER and XC_DOM_HVM_CONTAINER; the name is the first member of a loader. */
enum { PV_CONTAINER, HVM_CONTAINER };
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
    xen_pfn_t pfn, pages, *p2m;

    if ( ramdisk && xc_dom_module_file(dom, ramdisk, NULL) )
        return false;
    if ( xc_dom_mem_init(dom, mib) )
        return false;
    FIELD(xen_pfn_t, p2m_size) = pages = FIELD(xen_pfn_t, total_pages);
    FIELD(xen_pfn_t *, pv_p2m) = p2m = xc_dom_malloc(dom, sizeof(*p2m) * pages);
    if ( !p2m )
        return false;
    for ( pfn = 0; pfn < pages; pfn++ )
        p2m[pfn] = pfn;
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
    FIELD(int, container_type) = strcmp(argv[1], "pv") ? HVM_CONTAINER : PV_CONTAINER;
    snprintf(FIELD(xen_capabilities_info_t, xen_caps), sizeof(xen_capabilities_info_t), "%s", argv[2]);

    if ( xc_dom_kernel_file(dom, argv[3]) || xc_dom_parse_image(dom) ||
         (argc > 4 && !lay_out(dom, atoi(argv[4]), argc > 5 ? argv[5] : NULL)) )
        puts("refused");
    else
        printf("ok %s, %s\n", FIELD(struct loader *, kernel_loader)->name,
               FIELD(const char *, guest_type));
    return 0;
}
