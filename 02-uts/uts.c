#include "uts.h"

#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

enum { MAX_NAME = 64 }; /* __NEW_UTS_LEN of the kernel, without the final zero */

void uts_check_name(const char *name, const char *what)
{
    size_t length = strlen(name);

    if (length == 0 || length > MAX_NAME)
        fail("invalid %s '%s': expected 1 to %d bytes, got %zu", what, name, MAX_NAME, length);
}

void uts_set_hostname(const char *name)
{
    /* EXERCISE 2.2: give the new namespace its own host name. sethostname(2) */
    explain("hostname %s\tsethostname(\"%s\", %zu)", name, name, strlen(name));
    if (sethostname(name, strlen(name)) == -1)
        die("sethostname %s", name);
    /* END */
}

void uts_set_domainname(const char *name)
{
    explain("domainname %s\tsetdomainname(\"%s\", %zu)", name, name, strlen(name));
    if (setdomainname(name, strlen(name)) == -1)
        die("setdomainname %s", name);
}
