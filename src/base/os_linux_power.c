/* Reads /sys/class/power_supply, /sys/class/thermal and the throttle counters of x86
 * (Documentation/ABI/testing/sysfs-class-power, sysfs-class-thermal,
 * Documentation/arch/x86/x86_64/machinecheck.rst of the Linux sources). Zones' temperatures are not
 * looked at: what is too hot for a processor only its own trip points know, and what they do is
 * seen here. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/os_linux_machine.h"

#define MAX_ENTRIES 4096 /* of a folder that are looked at */
#define PATH_BYTES  512
#define WORD_BYTES  64

/* Call `see` for each entry of a folder. */
static void walk(const char *sysfs, const char *folder,
                 void (*see)(const char *sysfs, const char *path, void *ud), void *ud)
{
    char path[PATH_BYTES];

    if ((size_t)snprintf(path, sizeof(path), "%s%s", sysfs, folder) >= sizeof(path))
        return;
    DIR *dir = opendir(path);
    if (!dir)
        return;
    const struct dirent *d = readdir(dir);
    for (int i = 0; d && i < MAX_ENTRIES; d = readdir(dir), i++)
        if (d->d_name[0] != '.' &&
            (size_t)snprintf(path, sizeof(path), "%s/%s", folder, d->d_name) < sizeof(path))
            see(sysfs, path, ud);
    closedir(dir);
}

/* The text of a file of one line; empty where there is none. */
static const char *word_of(const char *sysfs, const char *entry, const char *file,
                           char word[WORD_BYTES])
{
    char path[PATH_BYTES + WORD_BYTES];

    snprintf(path, sizeof(path), "%s/%s", entry, file);
    if (!gs_os_machine_text(sysfs, path, word, WORD_BYTES))
        word[0] = '\0';
    word[strcspn(word, "\n")] = '\0';
    return word;
}

static int64_t number_of(const char *sysfs, const char *entry, const char *file)
{
    char path[PATH_BYTES + WORD_BYTES];

    snprintf(path, sizeof(path), "%s/%s", entry, file);
    return gs_os_machine_number(sysfs, path, "");
}

static bool begins(const char *word, const char *with)
{
    return strncmp(word, with, strlen(with)) == 0;
}

struct supplies {
    bool has_line, is_discharging;
};

/* A battery of a device (a mouse, a headset) is not ours. */
static void see_supply(const char *sysfs, const char *path, void *ud)
{
    struct supplies *s = ud;
    char type[WORD_BYTES];
    char word[WORD_BYTES];

    word_of(sysfs, path, "type", type);
    if (strcmp(word_of(sysfs, path, "scope", word), "Device") == 0)
        return;
    if (strcmp(type, "Battery") == 0 || strcmp(type, "UPS") == 0)
        s->is_discharging |= strcmp(word_of(sysfs, path, "status", word), "Discharging") == 0;
    else if (begins(type, "Mains") || begins(type, "USB") || begins(type, "Wireless"))
        s->has_line |= number_of(sysfs, path, "online") > 0;
}

/* Those that slow a processor down: "Processor" (ACPI), "intel_powerclamp", "cpufreq-cpu0",
 * "thermal-cpufreq-0", "cpuidle-0". */
static void see_cooler(const char *sysfs, const char *path, void *ud)
{
    bool *is_cooled = ud;
    char type[WORD_BYTES];

    word_of(sysfs, path, "type", type);
    if (strcmp(type, "Processor") == 0 || strcmp(type, "intel_powerclamp") == 0 ||
        strstr(type, "cpufreq") || strstr(type, "cpuidle"))
        *is_cooled |= number_of(sysfs, path, "cur_state") > 0;
}

static void see_cpu(const char *sysfs, const char *path, void *ud)
{
    static const char *const files[] = {"thermal_throttle/core_throttle_count",
                                        "thermal_throttle/package_throttle_count"};
    int64_t *sum = ud;

    for (size_t i = 0; i < GS_COUNT_OF(files); i++) {
        const int64_t n = number_of(sysfs, path, files[i]);
        *sum += GS_MIN(GS_MAX(n, (int64_t)0), INT64_MAX - *sum);
    }
}

void gs_os_power_read(const char *sysfs, struct gs_os_power *out)
{
    struct supplies supplies = {0};

    *out = (struct gs_os_power){0};
    walk(sysfs, "/class/power_supply", see_supply, &supplies);
    walk(sysfs, "/class/thermal", see_cooler, &out->is_cooled);
    walk(sysfs, "/devices/system/cpu", see_cpu, &out->n_throttled);
    out->on_battery = supplies.is_discharging && !supplies.has_line;
}
