/* genset dequant: the values of one tensor. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/os.h"
#include "cli/cli.h"

static enum gs_status count_values(const gs_llm *llm, const char *name, size_t *out_n,
                                   struct gs_error *err)
{
    struct gs_tensor_info t;
    size_t n = 1;

    for (size_t i = 0; gs_llm_tensor(llm, i, &t); i++) {
        if (strcmp(t.name, name) != 0)
            continue;
        for (int32_t d = 0; d < t.n_dims; d++)
            if (!gs_mul_size(n, (size_t)t.dims[d], &n))
                return gs_error_set(err, GS_EFORMAT, "tensor \"%s\" is too large", name);
        *out_n = n;
        return GS_OK;
    }
    return gs_error_set(err, GS_ENOTFOUND, "tensor \"%s\" not found", name);
}

static enum gs_status write_values(const struct gs_config *c, const gs_llm *llm,
                                   struct gs_error *err)
{
    const char *name = c->args.items[1];
    size_t n = (size_t)c->first;

    enum gs_status st = n > 0 ? GS_OK : count_values(llm, name, &n, err);
    if (st != GS_OK)
        return st;
    float *values = gs_alloc_array(n, sizeof(*values));
    if (!values)
        return gs_error_nomem(err, "hold the values");
    st = gs_llm_dequant(llm, name, n, values, err);
    if (st == GS_OK)
        st = gs_os_write_file(c->out_path, values, n * sizeof(*values), err);
    gs_free(values);
    return st;
}

int gs_cli_dequant(struct gs_config *c, struct gs_buf *out)
{
    struct gs_llm_options opt;
    struct gs_error err;
    gs_llm *llm = NULL;

    (void)out; /* the values have a file of their own */
    if (!c->out_path)
        return gs_cli_fail_usage("command \"dequant\" needs --out",
                                 "Usage: genset dequant MODEL TENSOR --out FILE");
    gs_cli_llm_options(c, &opt);
    opt.weights_only = true;
    if (gs_cli_model_open(c, c->args.items[0], &opt, &llm, &err) != GS_OK)
        return gs_cli_fail_model(&err);
    const enum gs_status st = write_values(c, llm, &err);
    gs_llm_close(llm);
    return st == GS_OK ? GS_EXIT_OK : gs_cli_fail_model(&err);
}
