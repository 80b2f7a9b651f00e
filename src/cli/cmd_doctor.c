/* genset doctor: what this machine is, what genset makes of it, which models it can run. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "provider/local.h"
#include "json/json.h"

struct machine {
    struct gs_slice cpu; /* "AMD EPYC ..." or empty */
    const char *features;
    const char *kernels; /* instruction set in use */
    const char *problem; /* why it is not the best there is; or NULL */
    int cores;
    int32_t threads;
    int64_t total_bytes, available_bytes;
    double bytes_per_s; /* 0: not measured */
};

/* ---- the processor ---- */

/* The features that a kernel of ours could use, each with a space before it. */
static const char *cpu_features(char *out, size_t cap)
{
#if GS_ARCH_X86
#define FEATURE(name)                                                                              \
    if (__builtin_cpu_supports(name))                                                              \
        len += (size_t)snprintf(out + len, cap - len, "%s%s", len ? " " : "", name);
    size_t len = 0;
    __builtin_cpu_init();
    FEATURE("sse4.2")
    FEATURE("avx")
    FEATURE("avx2")
    FEATURE("fma")
    FEATURE("avx512f")
    FEATURE("avx512bw")
    FEATURE("avx512vl")
    FEATURE("avx512vbmi")
    FEATURE("avx512vnni")
    FEATURE("avx512bf16")
#undef FEATURE
#else
    snprintf(out, cap, "%s", GS_ARCH_ARM ? "neon" : "");
#endif
    return out;
}

/* "model name : X" of /proc/cpuinfo; empty where there is none. */
static struct gs_slice cpu_name(struct gs_buf *info)
{
    static const struct gs_slice key = {"model name", 10};
    struct gs_error err;

    if (gs_os_read_file("/proc/cpuinfo", info, &err) != GS_OK)
        return GS_SLICE_LIT("");
    const struct gs_slice text = gs_buf_view(info);
    const size_t at = gs_slice_find(text, key, 0);
    const size_t colon = gs_slice_find(text, GS_SLICE_LIT(":"), at == SIZE_MAX ? text.len : at);
    if (colon == SIZE_MAX)
        return GS_SLICE_LIT("");
    const size_t end = gs_slice_find(text, GS_SLICE_LIT("\n"), colon);
    return gs_slice_trim(gs_slice_sub(text, colon + 1, end));
}

/* ---- models ---- */

static int64_t needed_bytes(const struct gs_local_model *model)
{
    return model->file_bytes + model->file_bytes / 10; /* the weights and room for a conversation */
}

static bool fits(const struct machine *m, const struct gs_local_model *model)
{
    return m->available_bytes < 0 || needed_bytes(model) <= m->available_bytes;
}

/* Tokens per second at most: every token reads every weight. A model of experts reads fewer. */
static double most_tps(const struct machine *m, const struct gs_local_model *model)
{
    return model->file_bytes > 0 ? m->bytes_per_s / (double)model->file_bytes : 0;
}

/* ---- the report ---- */

static void put_table(struct gs_buf *out, const struct gs_config *c, const struct machine *m,
                      const struct gs_local_model *models, size_t n)
{
    gs_buf_printf(out, "genset          %s\n", gs_version());
    gs_buf_printf(out, "configuration   %s\n", c->file ? c->file : "none, the defaults");
    gs_buf_printf(out, "processor       %.*s\n", (int)m->cpu.len, m->cpu.len ? m->cpu.ptr : "");
    gs_buf_printf(out, "features        %s\nkernels used    %s%s%s\n", m->features, m->kernels,
                  m->problem ? ": " : "", m->problem ? m->problem : "");
    gs_buf_printf(out, "cores           %d, %" PRId32 " threads used\n", m->cores, m->threads);
    gs_buf_puts(out, "memory          ");
    gs_cli_put_size(out, m->total_bytes);
    gs_buf_puts(out, ", available ");
    gs_cli_put_size(out, m->available_bytes);
    gs_buf_puts(out, "\nbandwidth       ");
    if (m->bytes_per_s > 0)
        gs_buf_printf(out, "%.1f GB/s\n", m->bytes_per_s / 1e9);
    else
        gs_buf_puts(out, "not measured: too little memory is available\n");
    const struct gs_slice kv = gs_config_word(GS_OPTION_kv_type, c->kv_type);
    gs_buf_printf(out, "KV cache        %.*s\n", (int)kv.len, kv.ptr);
    gs_buf_printf(out, "\nmodels          %s\n", n ? "" : "none found, only pilot");
    for (size_t i = 0; i < n; i++) {
        gs_buf_printf(out, "  %-32s %s %s, ", models[i].name, models[i].arch, models[i].quant);
        gs_cli_put_size(out, models[i].file_bytes);
        if (!fits(m, &models[i]))
            gs_buf_puts(out, ": does not fit into memory\n");
        else if (m->bytes_per_s > 0)
            gs_buf_printf(out, ": up to %.0f tokens/s\n", most_tps(m, &models[i]));
        else
            gs_buf_puts(out, ": fits\n");
    }
}

static void put_json(struct gs_buf *out, const struct gs_config *c, const struct machine *m,
                     const struct gs_local_model *models, size_t n)
{
    gs_buf_puts(out, "{\"version\":");
    gs_json_write_string(out, gs_slice_str(gs_version()));
    gs_cli_put_key(out, "processor");
    gs_json_write_string(out, m->cpu);
    gs_cli_put_key(out, "features");
    gs_json_write_string(out, gs_slice_str(m->features));
    gs_cli_put_key(out, "kernels");
    gs_json_write_string(out, gs_slice_str(m->kernels));
    if (m->problem) {
        gs_cli_put_key(out, "kernels_problem");
        gs_json_write_string(out, gs_slice_str(m->problem));
    }
    gs_buf_printf(out,
                  ",\"cores\":%d,\"threads\":%" PRId32 ",\"memory_bytes\":%" PRId64
                  ",\"available_bytes\":%" PRId64 ",\"bandwidth_bytes_per_s\":%.0f",
                  m->cores, m->threads, m->total_bytes, m->available_bytes, m->bytes_per_s);
    gs_cli_put_key(out, "kv_type");
    gs_json_write_string(out, gs_config_word(GS_OPTION_kv_type, c->kv_type));
    gs_cli_put_key(out, "models");
    gs_buf_putc(out, '[');
    for (size_t i = 0; i < n; i++) {
        gs_buf_puts(out, i ? ",{\"name\":" : "{\"name\":");
        gs_json_write_string(out, gs_slice_str(models[i].name));
        gs_cli_put_key(out, "path");
        gs_json_write_string(out, gs_slice_str(models[i].path));
        gs_buf_printf(out, ",\"bytes\":%" PRId64 ",\"fits\":%s,\"most_tokens_per_s\":%.1f}",
                      models[i].file_bytes, fits(m, &models[i]) ? "true" : "false",
                      most_tps(m, &models[i]));
    }
    gs_buf_puts(out, "]}\n");
}

/* What the engine makes of this machine, asked of the stand-in because it opens in no time. */
static enum gs_status open_standin(const struct gs_config *c, const struct gs_llm_options *opt,
                                   gs_llm **out_llm, struct gs_error *err)
{
    char path[4096];

    const enum gs_status st = gs_cli_standin_path(c, path, sizeof(path), err);
    return st == GS_OK ? gs_llm_open(path, opt, out_llm, err) : st;
}

int gs_cli_doctor(struct gs_config *c, struct gs_buf *out)
{
    const struct gs_local_model *models = NULL;
    struct gs_local *local = NULL;
    struct gs_llm_options opt;
    struct gs_llm_info info;
    struct gs_error err;
    struct gs_buf cpuinfo;
    gs_llm *llm = NULL;
    char features[128] = "";

    gs_cli_llm_options(c, &opt);
    if (gs_cli_local_create(c, &opt, NULL, NULL, &local, &err) != GS_OK)
        return gs_cli_fail_model(&err);
    opt.ctx_tokens = 0;
    opt.kv_bytes = 0;
    if (open_standin(c, &opt, &llm, &err) != GS_OK) {
        gs_local_free(local);
        return gs_cli_fail_model(&err);
    }
    gs_llm_info(llm, &info);
    gs_buf_init(&cpuinfo, 16 * GS_MIB);
    const struct machine m = {
        .cpu = cpu_name(&cpuinfo),
        .features = cpu_features(features, sizeof(features)),
        .kernels = info.cpu,
        .problem = c->cpu == 0 ? gs_llm_cpu_problem() : NULL,
        .cores = gs_os_core_count(),
        .threads = info.n_threads,
        .total_bytes = gs_os_memory_total_bytes(),
        .available_bytes = gs_os_memory_available_bytes(),
        .bytes_per_s = gs_cli_bandwidth(info.n_threads),
    };
    const size_t n = gs_local_models(local, &models);
    if (c->json)
        put_json(out, c, &m, models, n);
    else
        put_table(out, c, &m, models, n);
    gs_buf_clear(&cpuinfo);
    gs_llm_close(llm);
    gs_local_free(local);
    return GS_EXIT_OK;
}
