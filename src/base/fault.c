/* The table of faults. */
#include "genset/fault.h"

#include <string.h>

#include "base/compiler.h"

static const struct {
    const char *word, *meaning;
    enum gs_blame blame;
} faults[] = {
#define GS_FAULT_ROW(name, word_, blame_, meaning_)                                                \
    [GS_FAULT_##name] = {.word = (word_), .meaning = (meaning_), .blame = GS_BLAME_##blame_},
    GS_FAULT_MAP(GS_FAULT_ROW)
#undef GS_FAULT_ROW
};

const char *gs_fault_word(enum gs_fault f)
{
    return faults[f].word;
}

const char *gs_fault_meaning(enum gs_fault f)
{
    return faults[f].meaning;
}

enum gs_blame gs_fault_blame(enum gs_fault f)
{
    return faults[f].blame;
}

bool gs_fault_find(const char *word, enum gs_fault *out_fault)
{
    for (size_t i = 0; i < GS_COUNT_OF(faults); i++) {
        if (strcmp(faults[i].word, word) != 0)
            continue;
        *out_fault = (enum gs_fault)i;
        return true;
    }
    return false;
}
