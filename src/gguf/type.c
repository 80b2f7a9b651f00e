/* The table of element types, indexed by the format's ids; ids never used have no name. */
#include "gguf/type.h"

static const struct {
    const char *name;
    size_t block_len;
    size_t block_bytes;
} types[GS_TYPE_LIMIT] = {
#define ROW(e, id, name, values, bytes) [id] = {name, values, bytes},
    GS_TYPE_MAP(ROW)
#undef ROW
};

bool gs_type_known(uint32_t id)
{
    return id < GS_TYPE_LIMIT && types[id].name;
}

const char *gs_type_name(enum gs_type t)
{
    return gs_type_known(t) ? types[t].name : "unknown";
}

size_t gs_type_block_len(enum gs_type t)
{
    return gs_type_known(t) ? types[t].block_len : 0;
}

size_t gs_type_block_bytes(enum gs_type t)
{
    return gs_type_known(t) ? types[t].block_bytes : 0;
}
