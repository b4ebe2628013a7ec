/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * start: from the PVH entry (32-bit, paging off, ebx: hvm_start_info) to 64-bit C, and the
 * interrupt entries. Xen's note 18 is XEN_ELFNOTE_PHYS32_ENTRY.
 */
	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18
	.asciz "Xen"
	.long start

	.section .text.start, "ax", @progbits
	.code32
	.globl start
start:
	cli
	cld
	movl $bss_start, %edi
	movl $bss_end, %ecx
	subl %edi, %ecx
	shrl $2, %ecx
	xorl %eax, %eax
	rep stosl

	/* The first 4 GiB are mapped to themselves in pages of 2 MiB. */
	movl $identity_pdpt + 3, page_root
	movl $identity_pd, %eax
	orl $3, %eax
	xorl %ecx, %ecx
1:	movl %eax, identity_pdpt(, %ecx, 8)
	addl $4096, %eax
	incl %ecx
	cmpl $4, %ecx
	jb 1b
	movl $0x83, %eax
	xorl %ecx, %ecx
2:	movl %eax, identity_pd(, %ecx, 8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $2048, %ecx
	jb 2b

	movl %cr4, %eax
	orl $0x20, %eax			/* PAE */
	movl %eax, %cr4
	movl $page_root, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax		/* EFER.LME */
	wrmsr
	movl %cr0, %eax
	orl $0x80000001, %eax
	movl %eax, %cr0
	lgdt gdt_pointer
	ljmp $8, $start64

	.code64
start64:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	leaq stack_top(%rip), %rsp
	movl %ebx, %edi
	xorl %ebp, %ebp
	call guest_main
1:	cli
	hlt
	jmp 1b

	/* The timer tick: its only work is to end a hlt. */
	.globl entry_tick, entry_spurious, exception_entries
entry_tick:
	pushq %rax
	movb $0x20, %al
	outb %al, $0x20
	popq %rax
entry_spurious:
	iretq

	/* Vectors 0..31, 16 bytes each: some push an error code, the others get a 0 in its place. */
	.balign 16
exception_entries:
	.set vector, 0
	.rept 32
	.balign 16
	.if !((1 << vector) & 0x60227d00)
	pushq $0
	.endif
	pushq $vector
	jmp exception
	.set vector, vector + 1
	.endr
exception:
	movq (%rsp), %rdi
	movq 16(%rsp), %rsi
	call guest_exception
	jmp 1b

	.section .rodata, "a"
	.balign 8
gdt:	.quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
	.word gdt_pointer - gdt - 1
	.long gdt

	.bss
	.globl page_root
	.balign 4096
page_root:	.skip 4096
identity_pdpt:	.skip 4096
identity_pd:	.skip 4 * 4096
stack:		.skip 4 * 4096
stack_top:
	.section .note.GNU-stack, "", @progbits
