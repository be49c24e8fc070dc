/*
 * Asks the real libxlutil. Requests on stdin, `KIND LENGTH\n` and that many bytes; one line of JSON each on stdout.
 *   cfg   a config file: {"rc", "report", "settings": {key: {"value", "long"}}}
 *   disk  a disk specification: {"rc", "report", "disk": {...}}
 *   rate  the rate of a vif: {"rc", "report", "bytes", "usecs"}
 *   vdev  the name of a virtual disk: {"rc", "report", "number", "disk", "partition"}, -1 where libxl has none
 * Strings are printed byte by byte, as \u00NN where needed: read them as Latin-1.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl.h>
#include <libxlutil.h>

/* Not exported from libxenlight.so: hence the static library. */
int libxl__device_disk_dev_number(const char *virtpath, int *disk, int *partition);

static void put_string(const char *text)
{
    if (!text) { printf("null"); return; }
    putchar('"');
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p < 0x20 || *p >= 0x7f || *p == '"' || *p == '\\') printf("\\u%04x", *p);
        else putchar(*p);
    }
    putchar('"');
}

static void put_value(const XLU_Config *cfg, XLU_ConfigValue *value)
{
    if (xlu_cfg_value_type(value) == XLU_STRING) {
        char *text;
        xlu_cfg_value_get_string(cfg, value, &text, 1);
        put_string(text);
        return;
    }
    XLU_ConfigList *list;
    xlu_cfg_value_get_list(cfg, value, &list, 1);
    putchar('[');
    XLU_ConfigValue *item;
    for (int i = 0; (item = xlu_cfg_get_listitem2(list, i)); i++) {
        if (i) putchar(',');
        put_value(cfg, item);
    }
    putchar(']');
}

static int put_setting(XLU_Config *cfg, const char *key, int count)
{
    const char *text;
    long number;
    XLU_ConfigList *list;
    int is_string = !xlu_cfg_get_string(cfg, key, &text, 1);
    if (!is_string && xlu_cfg_get_list(cfg, key, &list, 0, 1)) return 0;
    if (count) putchar(',');
    put_string(key);
    printf(":{\"value\":");
    if (is_string) {
        put_string(text);
        if (!xlu_cfg_get_long(cfg, key, &number, 1)) printf(",\"long\":\"%ld\"", number);
    } else {
        XLU_ConfigValue *item;
        putchar('[');
        for (int i = 0; (item = xlu_cfg_get_listitem2(list, i)); i++) {
            if (i) putchar(',');
            put_value(cfg, item);
        }
        putchar(']');
    }
    putchar('}');
    return 1;
}

/* libxlutil cannot list its keys: every word of the text that could be one is asked for. */
static void put_settings(XLU_Config *cfg, const char *text)
{
    char *seen[4096];
    int words = 0, count = 0;
    for (const char *p = text; *p; ) {
        if (!islower((unsigned char)*p)) { p++; continue; }
        size_t length = strspn(p, "._0123456789abcdefghijklmnopqrstuvwxyz");
        char *word = strndup(p, length);
        int known = 0;
        for (int i = 0; i < words; i++) known |= !strcmp(seen[i], word);
        if (!known && words < 4096) {
            seen[words++] = word;
            count += put_setting(cfg, word, count);
        } else free(word);
        p += length;
    }
    for (int i = 0; i < words; i++) free(seen[i]);
}

static void put_disk(const libxl_device_disk *disk)
{
    printf(",\"disk\":{\"target\":"); put_string(disk->pdev_path);
    printf(",\"vdev\":"); put_string(disk->vdev);
    printf(",\"format\":"); put_string(libxl_disk_format_to_string(disk->format));
    printf(",\"backendtype\":"); put_string(libxl_disk_backend_to_string(disk->backend));
    printf(",\"backend\":"); put_string(disk->backend_domname);
    printf(",\"script\":"); put_string(disk->script);
    printf(",\"readonly\":%s", disk->readwrite ? "false" : "true");
    printf(",\"cdrom\":%s", disk->is_cdrom ? "true" : "false");
    printf(",\"directIoSafe\":%s", disk->direct_io_safe ? "true" : "false");
    printf(",\"discard\":%s", libxl_defbool_is_default(disk->discard_enable)
           ? "null" : libxl_defbool_val(disk->discard_enable) ? "true" : "false");
    printf("}");
}

int main(void)
{
    char kind[16];
    size_t length;
    while (scanf("%15s %zu", kind, &length) == 2) {
        getchar();
        char *text = calloc(1, length + 1);
        if (fread(text, 1, length, stdin) != length) return 1;
        char *report = NULL;
        size_t report_size;
        FILE *file = open_memstream(&report, &report_size);
        XLU_Config *cfg = xlu_cfg_init(file, "config");
        libxl_device_disk disk;
        libxl_device_nic nic;
        int rc = -1;
        if (!strcmp(kind, "cfg")) rc = xlu_cfg_readdata(cfg, text, length);
        if (!strcmp(kind, "disk")) {
            const char *specs[] = { text };
            libxl_device_disk_init(&disk);
            rc = xlu_disk_parse(cfg, 1, specs, &disk);
        }
        if (!strcmp(kind, "rate")) {
            libxl_device_nic_init(&nic);
            rc = xlu_vif_parse_rate(cfg, text, &nic);
        }
        if (!strcmp(kind, "vdev")) rc = 0;
        fflush(file);
        printf("{\"rc\":%d,\"report\":", rc);
        put_string(report);
        if (!rc && !strcmp(kind, "cfg")) {
            printf(",\"settings\":{");
            put_settings(cfg, text);
            putchar('}');
        }
        if (!rc && !strcmp(kind, "disk")) put_disk(&disk);
        if (!rc && !strcmp(kind, "rate"))
            printf(",\"bytes\":\"%llu\",\"usecs\":%u",
                   (unsigned long long)nic.rate_bytes_per_interval, nic.rate_interval_usecs);
        if (!strcmp(kind, "vdev")) {
            int disk = -1, partition = -1;
            libxl__device_disk_dev_number(text, &disk, &partition);
            printf(",\"number\":%d,\"disk\":%d,\"partition\":%d",
                   libxl__device_disk_dev_number(text, NULL, NULL), disk, partition);
        }
        printf("}\n");
        xlu_cfg_destroy(cfg);
        fclose(file);
        free(report);
        free(text);
    }
    return 0;
}
